//! Shard keys: types, collations and folds.
//!
//! Owns: their check. Never: decides which algorithm may take which type (`algorithm` does).

use crate::rules::algorithm::fold::Fold;
use crate::rules::check::Check;
use crate::rules::key::KeyColumn;
use crate::rules::problem::KeyPath;
use crate::rules::shape::KeyShape;
use crate::value::types::{Collation, ColumnType};

impl Check {
    /// One key column. `tddl`: texts are seen as they are where the rule doesn't say otherwise.
    pub(super) fn key(
        &mut self,
        shape: &KeyShape,
        default_type: &str,
        tddl: bool,
        path: &KeyPath,
    ) -> Option<KeyColumn> {
        self.name(&shape.column, "column", &path.key("column"));
        let written = shape.kind.as_deref().unwrap_or(default_type);
        let Some(declared) = ColumnType::parse(written, shape.collation.as_deref()) else {
            self.error_help(
                &path.key("type"),
                format!("'{written}' is no column type"),
                "write it as MySQL does: bigint unsigned, varchar(64), datetime",
            );
            return None;
        };
        if !can_be_key(&declared) {
            self.error_help(
                &path.key("type"),
                format!("a column of type {declared} can't be a shard key"),
                "integers, decimals, dates, texts and binary strings can",
            );
            return None;
        }
        if shape.collation.is_some() && !declared.is_character() {
            self.error(
                &path.key("collation"),
                format!("a column of type {declared} has no collation"),
            );
        }
        let fold = self.fold(shape, &declared, tddl, path)?;
        Some(KeyColumn { name: shape.column.as_str().into(), declared, fold })
    }

    fn fold(
        &mut self,
        shape: &KeyShape,
        declared: &ColumnType,
        tddl: bool,
        path: &KeyPath,
    ) -> Option<Fold> {
        if !declared.is_character() {
            if shape.fold.is_some() {
                self.error(
                    &path.key("fold"),
                    format!("only texts are folded, and the key is a {declared}"),
                );
            }
            return Some(Fold::None);
        }
        let fold = match (&shape.fold, &shape.collation) {
            (Some(fold), _) => match Fold::parse(fold) {
                Ok(fold) => fold,
                Err(help) => {
                    self.error_help(
                        &path.key("fold"),
                        format!("'{fold}' is no fold that Weir knows"),
                        help,
                    );
                    return None;
                }
            },
            (None, _) if tddl => Fold::None,
            (None, Some(collation)) => match Fold::for_collation(&Collation::new(collation)) {
                Some(fold) => fold,
                None => {
                    let names: Vec<&str> = crate::rules::algorithm::weights::shipped().collect();
                    self.error_help(
                        &path.key("collation"),
                        format!("there is no table of the weights of {collation}, so texts that it calls equal can't be kept together"),
                        format!("use a _bin collation or one of {}; or write a 'fold', and equality on this key goes to all shards where it is weaker", names.join(", ")),
                    );
                    return None;
                }
            },
            (None, None) => {
                self.error_help(
                    path,
                    format!("the key '{}' is a text without 'collation'", shape.column),
                    "write the column's collation, for it decides which texts are equal",
                );
                return None;
            }
        };
        self.warn_weak(shape, declared, &fold, path);
        Some(fold)
    }

    /// A fold that lets equal texts apart is allowed, but makes reads go everywhere.
    fn warn_weak(&mut self, shape: &KeyShape, declared: &ColumnType, fold: &Fold, path: &KeyPath) {
        let Some(collation) = declared.collation().filter(|collation| collation.is_known()) else {
            return;
        };
        let padded = collation.pads_spaces() && !matches!(declared, ColumnType::Char { .. });
        if !fold.covers(collation, padded) {
            self.warning(
                path,
                format!("fold '{fold}' keeps texts apart that {collation} calls equal, so conditions on '{}' go to all shards", shape.column),
                match Fold::for_collation(collation) {
                    Some(enough) => format!("'{enough}' would be enough"),
                    None => "only a _bin collation would help".to_string(),
                },
            );
        }
    }
}

fn can_be_key(kind: &ColumnType) -> bool {
    !matches!(
        kind,
        ColumnType::Float { .. }
            | ColumnType::Double { .. }
            | ColumnType::Bit { .. }
            | ColumnType::Time { .. }
            | ColumnType::Set { .. }
            | ColumnType::Json
            | ColumnType::Other(_)
    )
}
