//! LIMIT and OFFSET over merged rows.
//!
//! Owns: counting. Never: evaluates a parameter (the planner's bind did), or sees a row.

/// The rows that are still to be skipped and to be let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    skip: u64,
    /// `None`: all.
    left: Option<u64>,
}

impl Window {
    /// No LIMIT.
    pub const OPEN: Self = Window { skip: 0, left: None };

    /// LIMIT `offset`, `count`. The greatest count is how MySQL's users write "all".
    pub fn new(offset: u64, count: u64) -> Self {
        Window { skip: offset, left: (count != u64::MAX).then_some(count) }
    }

    /// Counts one row: whether it is let through.
    pub fn admit(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// True where every row passes.
    pub fn is_open(&self) -> bool {
        *self == Window::OPEN
    }

    /// True where no further row passes.
    pub fn is_shut(&self) -> bool {
        self.left == Some(0)
    }

    /// The most rows that can matter, counted from the first.
    pub fn most(&self) -> u64 {
        self.left.map_or(u64::MAX, |left| self.skip.saturating_add(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_skipped_then_let_through_then_shut_out() {
        let mut window = Window::new(2, 3);
        assert_eq!(window.most(), 5);
        let passed: Vec<bool> = (0..7).map(|_| window.admit()).collect();
        assert_eq!(passed, [false, false, true, true, true, false, false]);
        assert!(window.is_shut());
        assert!(Window::new(5, 0).is_shut());
        assert!(!Window::OPEN.is_shut() && Window::OPEN.is_open());
        assert_eq!(Window::new(u64::MAX, 5).most(), u64::MAX);
        assert!(Window::new(0, u64::MAX).is_open() && !Window::new(1, u64::MAX).is_open());
    }
}
