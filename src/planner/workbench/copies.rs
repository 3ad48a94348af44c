//! Common table expressions that are named more than once, for servers that can't open a temporary
//! table twice in a statement (MySQL's 1137; mysql-traps 23).
//!
//! Owns: the further definitions that give each further reference a temporary table of its own.
//! Never: copies a definition whose value may differ from one time to the next.
//!
//! `WITH c AS (…) SELECT … FROM c x JOIN c y` becomes `WITH c AS (…), weir_cte_1_1 AS (…) SELECT …
//! FROM c x JOIN weir_cte_1_1 y`. A copy names other expressions as the original does, each of
//! which is a further reference to those.

use super::{Reference, Task, Workbench, quoted};
use crate::planner::draft::{Draft, Result};
use crate::planner::splice::{Part, Splice, What};
use crate::planner::survey::Survey;
use crate::sql::analysis::Span;
use crate::sql::parse;

/// More definitions than this are not written.
const MOST: usize = 64;

/// A common table expression of the statement.
struct Definition {
    /// From its name to the closing parenthesis.
    span: Span,
    name: Span,
    /// Temporary tables are read in it, be it by way of others.
    needy: bool,
}

/// One writing of a definition: the original is number 0.
#[derive(Clone, Copy)]
struct Instance {
    definition: usize,
    number: usize,
}

/// Adds the copies that the statement needs. False where it can't be done.
pub(super) fn add(draft: &Draft, survey: &Survey, bench: &mut Workbench) -> Result<bool> {
    let shared = |index: usize| {
        let outside = survey
            .cte_references
            .iter()
            .filter(|reference| reference.definition == index && !reference.recursive);
        outside.count() > 1
    };
    if !(0..survey.cte_definitions.len()).any(shared) {
        return Ok(true);
    }
    let Some(definitions) = definitions(draft, survey)? else { return Ok(false) };
    let mut copying =
        Copying { survey, definitions, counts: vec![0; survey.cte_definitions.len()], due: vec![] };
    if !(0..copying.definitions.len()).any(|index| shared(index) && copying.is_needy(index)) {
        return Ok(true);
    }
    if draft.traits.random {
        return Ok(false);
    }
    let base = bench.splices.clone();
    let mut edits = copying.references(None);
    let mut copies: Vec<(usize, Vec<Part>)> = vec![];
    let mut done = 0;
    while let Some(instance) = copying.due.get(done).copied() {
        done += 1;
        if done > MOST {
            return Ok(false);
        }
        let inner = copying.references(Some(instance));
        if instance.number == 0 {
            edits.extend(inner);
            continue;
        }
        let parts = copying.copy(instance, &base, inner, bench);
        copies.push((instance.definition, parts));
    }
    bench.splices.extend(edits);
    for (index, definition) in copying.definitions.iter().enumerate() {
        let of_this = copies.iter().filter(|(of, _)| *of == index);
        let parts: Vec<Part> = of_this.flat_map(|(_, parts)| parts.iter().cloned()).collect();
        if !parts.is_empty() {
            let at = Span { start: definition.span.end, end: definition.span.end };
            bench.splices.push(Splice { at, what: What::Parts(parts), scattered: false });
        }
    }
    Ok(true)
}

/// Where the definitions stand; `None` where one stands inside of another, or isn't found.
fn definitions(draft: &Draft, survey: &Survey) -> Result<Option<Vec<Definition>>> {
    let input = draft.input;
    let mut tokens = parse::units::template_tokens(input.sql, input.lexed, input.dialect)?;
    tokens.retain(|token| !token.kind.is_trivia());
    let place = |offset: u32| input.lexed.template_offset(offset as usize) as u32;
    let is = |at: usize, symbol: &str| {
        tokens.get(at).is_some_and(|token| token.is_symbol(input.sql, symbol))
    };
    let closing = |open: usize| {
        let mut depth = 0usize;
        (open..tokens.len()).find(|at| {
            depth += usize::from(is(*at, "("));
            depth -= usize::from(is(*at, ")"));
            depth == 0
        })
    };
    let mut found: Vec<Definition> = vec![];
    for name in &survey.cte_definitions {
        let first = tokens.iter().position(|token| place(token.start) == name.start);
        let Some(mut at) = first.map(|first| first + 1) else { return Ok(None) };
        if is(at, "(") {
            let Some(close) = closing(at) else { return Ok(None) };
            at = close + 1;
        }
        if !tokens.get(at).is_some_and(|token| token.is_word(input.sql, "AS")) || !is(at + 1, "(") {
            return Ok(None);
        }
        let Some(close) = closing(at + 1) else { return Ok(None) };
        let end = tokens.get(close).map_or(0, |token| place(token.start) + 1);
        let span = Span { start: name.start, end };
        if found.iter().any(|other| span.start < other.span.end && other.span.start < span.end) {
            return Ok(None);
        }
        found.push(Definition { span, name: *name, needy: false });
    }
    for index in 0..found.len() {
        let Some(span) = found.get(index).map(|definition| definition.span) else { continue };
        let reads = survey.uses.iter().any(|used| within(used.span(), span));
        let by_way = survey.cte_references.iter().any(|reference| {
            within(reference.written, span)
                && found.get(reference.definition).is_some_and(|definition| definition.needy)
        });
        if let Some(definition) = found.get_mut(index) {
            definition.needy = reads || by_way;
        }
    }
    Ok(Some(found))
}

fn within(inner: Span, outer: Span) -> bool {
    inner.start >= outer.start && inner.end <= outer.end
}

struct Copying<'s, 'a> {
    survey: &'s Survey<'a>,
    definitions: Vec<Definition>,
    /// How many instances each definition has.
    counts: Vec<usize>,
    /// Instances in the order that they were found needed.
    due: Vec<Instance>,
}

impl Copying<'_, '_> {
    fn is_needy(&self, index: usize) -> bool {
        self.definitions.get(index).is_some_and(|definition| definition.needy)
    }

    /// The edits that make the references of an instance's text, or of the statement's own, name
    /// instances of their own.
    fn references(&mut self, container: Option<Instance>) -> Vec<Splice> {
        let survey = self.survey;
        let mut edits = vec![];
        for reference in &survey.cte_references {
            let home = self
                .definitions
                .iter()
                .position(|definition| within(reference.written, definition.span));
            if home != container.map(|instance| instance.definition)
                || !self.is_needy(reference.definition)
            {
                continue;
            }
            let number = match container {
                // A recursive one names itself.
                Some(instance) if instance.definition == reference.definition => instance.number,
                _ => {
                    let Some(count) = self.counts.get_mut(reference.definition) else { continue };
                    let number = *count;
                    *count += 1;
                    self.due.push(Instance { definition: reference.definition, number });
                    number
                }
            };
            if number == 0 {
                continue;
            }
            let mut put = |at: Span, text: String| {
                let what = What::Parts(vec![Part::Text(text.into())]);
                edits.push(Splice { at, what, scattered: false });
            };
            put(reference.written, name(reference.definition, number));
            if !reference.aliased {
                let at = Span { start: reference.alias_at, end: reference.alias_at };
                put(at, format!(" AS {}", quoted(&reference.shown)));
            }
        }
        edits
    }

    /// The text of a further instance, with temporary tables of its own.
    fn copy(
        &self,
        instance: Instance,
        base: &[Splice],
        inner: Vec<Splice>,
        bench: &mut Workbench,
    ) -> Vec<Part> {
        let Some(definition) = self.definitions.get(instance.definition) else { return vec![] };
        let range = Span { start: definition.name.end, end: definition.span.end };
        let mut edits: Vec<Splice> =
            base.iter().filter(|splice| within(splice.at, range)).cloned().collect();
        for edit in &mut edits {
            if let What::Parts(parts) = &mut edit.what
                && let [Part::Source(index)] = parts.as_mut_slice()
            {
                let of = bench.references.get(*index).and_then(|one| one.copy_of);
                let of = of.unwrap_or(*index);
                *index = bench.references.len();
                let temporary = format!("weir_wb_{}", *index + 1);
                if let Some(copy) = bench.references.get(of).map(|one| one.copied(of, temporary)) {
                    bench.references.push(copy);
                }
            }
        }
        edits.extend(inner);
        edits.sort_by_key(|splice| (splice.at.start, splice.at.end));
        let mut parts =
            vec![Part::Text(format!(", {}", name(instance.definition, instance.number)).into())];
        let mut at = range.start;
        for edit in edits {
            parts.push(Part::Raw(Span { start: at, end: edit.at.start }));
            if let What::Parts(text) = edit.what {
                parts.extend(text);
            }
            at = edit.at.end;
        }
        parts.push(Part::Raw(Span { start: at, end: range.end }));
        parts
    }
}

fn name(definition: usize, number: usize) -> String {
    format!("`weir_cte_{}_{number}`", definition + 1)
}

impl Reference {
    /// The same rows in another temporary table.
    fn copied(&self, of: usize, temporary: String) -> Reference {
        Reference {
            schema: self.schema.clone(),
            table: self.table.clone(),
            temporary,
            number: self.number,
            task: Task::Read,
            columns: self.columns.clone(),
            known: self.known.clone(),
            information: self.information,
            is_view: self.is_view,
            partitioned: false,
            keys: vec![],
            shown: self.shown.clone(),
            copy_of: Some(of),
            hints: vec![],
            hinted: None,
            head: vec![],
            pushed: vec![],
            grouped: vec![],
            cut: vec![],
            tail: String::new(),
        }
    }
}
