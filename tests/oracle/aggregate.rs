//! Aggregate functions, each with what it makes uncertain.

use crate::oracle::expression::{Maker, Want};
use crate::oracle::forms::Type;
use crate::oracle::schema::Field;
use crate::oracle::select::{Use, computed};
use crate::oracle::tree::{Mark, Node, marked, row, text};

impl Maker<'_> {
    /// An aggregate and the field that it makes.
    pub fn aggregate(&mut self, purpose: Use) -> (Node, Field) {
        let nested = purpose == Use::Nested;
        let fits = |field: &Field| field.form.sortable() && !(nested && field.form.folds());
        let exact = |field: &Field| matches!(field.form.kind, Type::Whole | Type::Decimal);
        let whole = |field: &Field| field.form.kind == Type::Whole;
        let number = Field { name: String::new(), form: computed(Want::Number), nullable: true };
        let one = |maker: &mut Self, fits: &dyn Fn(&Field) -> bool| match maker.field(fits) {
            Some(place) => (maker.column(place.0, place.1), maker.form_of(place).clone()),
            None => (text("1"), number.clone()),
        };
        let around = |before: &str, node: Node, after: &str| row([text(before), node, text(after)]);
        let node = match self.dice.below(31) {
            26 if !nested => {
                // Every row has a place of its own.
                let (node, _) = one(self, &fits);
                let by = row([text("ORDER BY"), self.tie(), text("SEPARATOR ';')")]);
                let field = Field { form: computed(Want::Text), ..number };
                return (row([text("GROUP_CONCAT("), node, by]), field);
            }
            27 => {
                let (first, second) = (one(self, &exact).0, one(self, &whole).0);
                row([text("COUNT(DISTINCT"), first, text(","), second, text(")")])
            }
            28 => {
                let truth = marked(Mark::WarningsVary, self.truth(1));
                row([text("SUM(IF("), truth, text(","), one(self, &exact).0, text(", 0))")])
            }
            29 => around("COUNT(*) + MIN(", one(self, &whole).0, ")"),
            30 => around("COUNT(*) + BIT_COUNT(BIT_XOR(", one(self, &whole).0, "))"),
            0..=4 => text("COUNT(*)"),
            5..=6 => around("COUNT(", one(self, &fits).0, ")"),
            7..=8 => around("COUNT(DISTINCT", one(self, &fits).0, ")"),
            9..=11 => around("SUM(", one(self, &exact).0, ")"),
            12..=13 => around("AVG(", one(self, &exact).0, ")"),
            14..=17 => {
                // Of days without a month MySQL finds the least or another, by the order of a join's
                // rows.
                let several = self.scope.len() > 1;
                let fits =
                    |field: &Field| fits(field) && !(several && field.form.kind == Type::Date);
                let (node, field) = one(self, &fits);
                let before = *self.dice.pick(&["MIN(", "MAX("]);
                return (around(before, node, ")"), field);
            }
            18 => around("SUM(DISTINCT", one(self, &exact).0, ")"),
            19 => {
                let before = *self.dice.pick(&["BIT_OR(", "BIT_AND(", "BIT_XOR("]);
                around(before, one(self, &whole).0, ")")
            }
            20 if !nested => {
                let before = *self.dice.pick(&["STDDEV(", "VAR_POP(", "VAR_SAMP(", "STDDEV_SAMP("]);
                marked(Mark::Approximate, around(before, one(self, &whole).0, ")"))
            }
            21 if !nested => {
                let floats = |field: &Field| field.form.summable();
                let before = *self.dice.pick(&["SUM(", "AVG("]);
                marked(Mark::Approximate, around(before, one(self, &floats).0, ")"))
            }
            22 => {
                let (node, _) = one(self, &fits);
                let distinct = *self.dice.pick(&["", "DISTINCT"]);
                let tail = *self.dice.pick(&["", " DESC"]);
                let by =
                    row([text("ORDER BY"), node.clone(), text(format!("{tail} SEPARATOR '|')"))]);
                let field = Field { form: computed(Want::Text), ..number };
                return (row([text("GROUP_CONCAT("), text(distinct), node, by]), field);
            }
            23 => row([around("SUM(", one(self, &exact).0, ")"), text("/ COUNT(*)")]),
            24 => around("IFNULL(SUM(", one(self, &exact).0, "), 0)"),
            // Groups behind the LIMIT may be left uncomputed.
            25 => {
                let made = row([around("MAX(", one(self, &whole).0, ")"), text("- COUNT(*)")]);
                marked(Mark::ErrorsVary, made)
            }
            _ => text("COUNT(*) + 1"),
        };
        (node, number)
    }
}
