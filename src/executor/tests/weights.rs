//! Keys of weights compare as texts with blanks without end behind them do.

use crate::executor::compare::{Order, RowFormat};

/// Every text of up to four characters out of one below a blank, a blank and one above it.
fn texts() -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|text| b"\t a".iter().map(|c| [text.as_slice(), &[*c]].concat()))
            .collect();
        all.extend(last.iter().cloned());
    }
    all
}

fn key(text: &[u8], unit: u8) -> Vec<u8> {
    let weights: Vec<u8> = [text, b" "]
        .concat()
        .iter()
        .flat_map(|c| std::iter::repeat_n(2, usize::from(unit) - 1).chain([*c]))
        .collect();
    let mut key = Vec::new();
    Order::Weights { unit }.put_key(RowFormat::Text, Some(&weights), false, &mut key).unwrap();
    key
}

#[test]
fn keys_order_texts_as_if_blanks_stood_behind() {
    let padded = |text: &[u8]| {
        let mut padded = text.to_vec();
        padded.resize(8, b' ');
        padded
    };
    for unit in [1, 2] {
        for left in texts() {
            for right in texts() {
                let (a, b) = (key(&left, unit), key(&right, unit));
                assert_eq!(a.cmp(&b), padded(&left).cmp(&padded(&right)), "{left:?} {right:?}");
                // Another column's key may stand behind.
                assert!(a == b || !b.starts_with(&a), "{left:?} {right:?}");
            }
        }
    }
}

#[test]
fn half_a_weight_is_refused() {
    let order = Order::Weights { unit: 2 };
    assert!(order.put_key(RowFormat::Text, Some(&[2, 9, 2]), false, &mut Vec::new()).is_err());
    assert!(order.put_key(RowFormat::Text, Some(&[]), false, &mut Vec::new()).is_err());
}
