//! Further connections for a statement whose targets lie in one group.
//!
//! Owns: how many more a statement may take, and dealing its parts out to them. Never: waits while
//! others do: a statement that holds connections and waits for more could wait in a ring.

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::pool::{Ask, Lent};

/// The most connections of one group that one statement has.
const MOST: usize = 16;
/// How long opening them may take together.
const PATIENCE: Duration = Duration::from_millis(50);

/// Connections to the node that `first` came from, at most `wanted` and at most half of those that
/// are free now: what else arrives meanwhile needs some too.
pub async fn spare(first: &Lent, ask: &Ask<'_>, wanted: usize) -> Vec<Lent> {
    let pool = first.pool();
    let free = pool.max().saturating_sub(pool.in_use());
    let wanted = wanted.min(free / 2).min(MOST - 1);
    let deadline = ask.deadline.min(Instant::now() + PATIENCE);
    let mut lents = Vec::with_capacity(wanted);
    while lents.len() < wanted {
        // Whatever keeps one from being had, the statement runs without it.
        match pool.lend(&Ask { deadline, ..*ask }).await {
            Ok(lent) => lents.push(lent),
            Err(_) => break,
        }
    }
    lents
}

/// Deals items out to so many connections in turn, so that each has its own in their order.
pub fn deal<T>(items: impl IntoIterator<Item = T>, connections: usize) -> Vec<Vec<T>> {
    let mut dealt: Vec<Vec<T>> = (0..connections).map(|_| Vec::new()).collect();
    for (place, item) in items.into_iter().enumerate() {
        if let Some(hand) = dealt.get_mut(place % connections.max(1)) {
            hand.push(item);
        }
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_dealt_in_turn() {
        assert_eq!(deal(0..5, 2), [vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(deal(0..2, 3), [vec![0], vec![1], vec![]]);
        assert!(deal(0..2, 0).is_empty());
    }
}
