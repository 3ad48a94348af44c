//! Cuts a statement down to the smallest one whose answers still differ.
//!
//! Owns: the edits. Never: asks a server; what is tried is judged by the caller.

use crate::oracle::tree::Node;

/// The most statements that are tried for one difference.
const TRIALS: usize = 400;
/// The same where rows must be put back for each.
const TRIALS_OF_WRITES: usize = 120;

/// The smallest statement for which `differs` still holds.
pub async fn reduce(
    mut node: Node,
    reads: bool,
    mut differs: impl AsyncFnMut(&Node) -> bool,
) -> Node {
    let mut left = if reads { TRIALS } else { TRIALS_OF_WRITES };
    loop {
        let mut improved = false;
        let mut number = 0;
        while let Some(smaller) = candidate(&node, number) {
            if left == 0 {
                return node;
            }
            number += 1;
            if smaller.write(false).sql.len() >= node.write(false).sql.len() {
                continue;
            }
            left -= 1;
            if differs(&smaller).await {
                node = smaller;
                improved = true;
                // The same place may hold a next one.
                number -= 1;
            }
        }
        if !improved {
            return node;
        }
    }
}

/// The statement after edit `number`; None past the last.
fn candidate(node: &Node, number: usize) -> Option<Node> {
    let mut edited = node.clone();
    let mut left = number;
    let mut link = None;
    let done = edit(&mut edited, &mut left, &mut link);
    if let Some(link) = link {
        drop_linked(&mut edited, link);
    }
    done.then_some(edited)
}

/// Applies the edit that `left` counts down to, in the order in which pieces stand.
fn edit(node: &mut Node, left: &mut usize, link: &mut Option<u32>) -> bool {
    let mut take = || {
        let now = *left == 0;
        *left = left.wrapping_sub(usize::from(!now));
        now
    };
    match node {
        Node::Maybe(_) if take() => {
            *node = Node::Nothing;
            return true;
        }
        Node::Maybe(_) => {}
        Node::List { items, least, .. } if items.len() > *least => {
            for index in 0..items.len() {
                if take() {
                    match &items[index] {
                        Node::Linked(number, _) => *link = Some(*number),
                        _ => {
                            items.remove(index);
                        }
                    }
                    return true;
                }
            }
        }
        Node::Expr(inner) => {
            let mut replacements = Vec::new();
            expressions(inner, &mut replacements);
            for replacement in replacements {
                if take() {
                    *node = replacement;
                    return true;
                }
            }
            for literal in ["1", "'a'"] {
                if take() {
                    *node = Node::Text(literal.to_owned());
                    return true;
                }
            }
        }
        _ => {}
    }
    node.children_mut().into_iter().any(|child| edit(child, left, link))
}

/// The outermost expressions inside of a piece.
fn expressions(node: &Node, found: &mut Vec<Node>) {
    for child in node.children() {
        match child {
            Node::Expr(_) => found.push(child.clone()),
            child => expressions(child, found),
        }
    }
    if let Node::Expr(_) = node {
        found.push(node.clone());
    }
}

/// Takes every piece of a link out of its list; one that stands elsewhere stays.
fn drop_linked(node: &mut Node, link: u32) {
    if let Node::List { items, .. } = node {
        items.retain(|item| !matches!(item, Node::Linked(number, _) if *number == link));
    }
    for child in node.children_mut() {
        drop_linked(child, link);
    }
}
