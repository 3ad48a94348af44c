//! TDDL's nodes: the statement that `node('…')` sends to some as it is.
//!
//! Owns: what a node's name or number is in the rules, and which statements may go there. Never: lets
//! a client reach what it couldn't without the hint: databases of others, or what its account has no
//! right to.
//!
//! A node of TDDL is a group of its rules, which is one database. The rules' `tddl_groups` say what
//! their names stand for. The name of one of Weir's own groups stands for the schema's database there.

use std::sync::Arc;

use crate::error::Error;
use crate::name::GroupId;
use crate::planner::draft::{Draft, Result};
use crate::planner::index;
use crate::planner::make::runs_a_write;
use crate::planner::plan::{Access, Gather, Pin, PreparedForm, Unseen, WriteKind};
use crate::planner::query::Outcome;
use crate::planner::refuse::refuse;
use crate::planner::survey::Survey;
use crate::planner::views;
use crate::planner::{Action, Many, Tables};
use crate::rules::table::{Placement, Shard};
use crate::rules::{Rules, Schema};
use crate::sql::classify::{Classified, StatementKind};
use crate::sql::mention::{Mention, mentioned_names};
use crate::sql::parse;
use crate::sql::show::{self, ShowKind};
use crate::sql::token::Token;
use crate::sql::unseen::calls_stored;

/// Where a node is.
pub(crate) struct Node {
    pub group: GroupId,
    /// `None`: all of the group's.
    pub database: Option<Arc<str>>,
}

/// The node of a name or a number; `places` are the databases that it may be one of.
///
/// # Errors
/// `hint`: there is none, or it isn't certain which one a number means.
pub(crate) fn find(
    rules: &Rules,
    schema: Option<&Schema>,
    node: &str,
    places: &[(GroupId, Arc<str>)],
) -> Result<Node> {
    let declared = schema.map(|schema| schema.tddl_groups.as_slice()).unwrap_or_default();
    let exact = declared.iter().find(|(name, ..)| **name == *node);
    let named =
        exact.or_else(|| declared.iter().find(|(name, ..)| name.eq_ignore_ascii_case(node)));
    if let Some((_, group, database)) = named {
        return Ok(Node { group: *group, database: Some(Arc::clone(database)) });
    }
    if let Some((group, _)) = rules.group_by_name(node) {
        return Ok(Node { group, database: None });
    }
    let Ok(number) = node.parse::<usize>() else {
        return Err(refuse(
            "hint",
            format!(
                "The hint names '{node}', which is no group of the rules and none of the schema's tddl_groups"
            ),
        ));
    };
    let found = match declared {
        [] => by_place(rules, places, number),
        declared => by_name(declared, number),
    };
    found.ok_or_else(|| {
        refuse(
            "hint",
            format!(
                "The hint names node {number}, and it isn't certain which one that is: write its name, of a group or \
                 of one of the schema's tddl_groups"
            ),
        )
    })
}

/// The group whose name has the number, where all names differ in theirs alone and are counted from 0.
fn by_name(declared: &[(Box<str>, GroupId, Arc<str>)], number: usize) -> Option<Node> {
    let mut found = None;
    let mut shape = None;
    let mut numbers = vec![];
    for (name, group, database) in declared {
        let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
        let (head, tail) = name.split_at_checked(end)?;
        let start = head.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (head, digits) = head.split_at_checked(start)?;
        let counted: usize = digits.parse().ok()?;
        if *shape.get_or_insert((head, tail)) != (head, tail) || numbers.contains(&counted) {
            return None;
        }
        numbers.push(counted);
        if counted == number {
            found = Some(Node { group: *group, database: Some(Arc::clone(database)) });
        }
    }
    found.filter(|_| numbers.iter().all(|counted| *counted < declared.len()))
}

/// The group of the number, where each group has one database of them: it is the node, too.
fn by_place(rules: &Rules, places: &[(GroupId, Arc<str>)], number: usize) -> Option<Node> {
    let mut known: Vec<&(GroupId, Arc<str>)> = vec![];
    for place in places {
        if !known.contains(&place) {
            known.push(place);
        }
    }
    let alone = |(group, _): &(GroupId, Arc<str>)| {
        known.iter().filter(|(other, _)| other == group).count() == 1
    };
    if known.len() != rules.groups.len() || !known.iter().all(|place| alone(place)) {
        return None;
    }
    let group = GroupId(u16::try_from(number).ok()?);
    let (_, database) = known.iter().find(|(of, _)| *of == group)?;
    Some(Node { group, database: Some(Arc::clone(database)) })
}

/// All databases that have something of a schema.
fn places(schema: &Schema) -> Vec<(GroupId, Arc<str>)> {
    let mut all = schema.databases.clone();
    for (_, placement) in schema.tables() {
        match placement {
            Placement::Sharded(table) => {
                let shards = table.shards.iter();
                all.extend(shards.map(|shard| (shard.group, Arc::clone(&shard.database))));
            }
            Placement::Broadcast(table) => all.extend(table.copies.iter().cloned()),
            Placement::Single(table) => all.push((table.group, Arc::clone(&table.database))),
        }
    }
    all.extend(schema.tddl_groups.iter().map(|(_, group, name)| (*group, Arc::clone(name))));
    all
}

/// What kinds of statements may go to a node as they are.
enum Goes {
    Reads,
    Writes,
    Defines,
}

fn goes(draft: &Draft, classified: &Classified, tokens: &[Token]) -> Result<Goes> {
    use StatementKind as K;
    Ok(match classified.kind {
        K::Select | K::With | K::Values | K::Table | K::Describe => Goes::Reads,
        K::Explain if classified.inner.is_some() && !runs_a_write(draft.input.sql, tokens) => {
            Goes::Reads
        }
        K::Show => {
            use ShowKind as S;
            let show = show::parse(draft.input.sql, tokens, &draft.input.dialect)?;
            let shown = matches!(
                show.kind,
                S::Tables | S::TableStatus | S::Columns | S::Index | S::CreateTable | S::CreateView
            );
            match shown && show.schema.is_none() {
                true => Goes::Reads,
                false => return Err(stays(classified)),
            }
        }
        K::Insert | K::Replace | K::Update | K::Delete => Goes::Writes,
        K::RenameTable => return Err(stays(classified)),
        kind if kind.defines_tables() => Goes::Defines,
        _ => return Err(stays(classified)),
    })
}

fn stays(classified: &Classified) -> Error {
    refuse(
        "hint",
        format!(
            "The hint node() sends statements about tables of a node, and not one of this kind ({:?})",
            classified.kind
        ),
    )
}

/// The databases that nodes are, each once.
fn at(
    rules: &Rules,
    home: &Schema,
    nodes: &[String],
    places: &[(GroupId, Arc<str>)],
) -> Result<Tables> {
    let mut tables = Tables { steady: true, ..Tables::default() };
    for node in nodes {
        let Node { group, database } = find(rules, Some(home), node, places)?;
        let Some(database) = database.or_else(|| home.database_in(group).cloned()) else {
            return Err(refuse(
                "hint",
                format!(
                    "The hint names '{node}', and schema '{}' has no database there",
                    home.name
                ),
            ));
        };
        let place = (group, Some(database));
        if !tables
            .groups
            .iter()
            .copied()
            .zip(tables.databases.iter().cloned())
            .any(|it| it == place)
        {
            tables.groups.push(place.0);
            tables.databases.push(place.1);
        }
    }
    Ok(tables)
}

/// `node('…')`: the statement goes to these nodes as it is.
pub(crate) fn at_nodes(
    mut draft: Draft,
    (classified, tokens): (&Classified, &[Token]),
    nodes: &[String],
) -> Result<Outcome> {
    let rules = draft.input.rules;
    let Some(home) = draft.input.schema.and_then(|name| rules.schema(name)).cloned() else {
        return Err(refuse(
            "hint",
            "The hint node() names a node of the session's schema: USE one first",
        ));
    };
    let goes = goes(&draft, classified, tokens)?;
    let places = places(&home);
    let mut tables = at(rules, &home, nodes, &places)?;
    stays_inside(&draft, classified, tokens, (&tables.groups, &places))?;
    match goes {
        Goes::Reads => {
            draft.reads();
            if calls_stored(draft.input.sql, tokens, draft.input.dialect.server) {
                draft.facts.access = Access::PrimaryRead;
                draft.facts.retry = false;
                draft.facts.unseen = Unseen::Sets;
            }
            tables.many = Some(Many::Scatter { gather: Gather::default(), allowed: true });
        }
        Goes::Writes | Goes::Defines => {
            let mentions = mentioned_names(draft.input.sql, tokens);
            for mention in &mentions {
                let is = |shard: &Shard| *shard.table == *mention.name;
                if let Some(of) = index::indexed_shard(rules, is) {
                    return Err(index::not_alone(&(mention.name.clone(), of)));
                }
            }
            draft.facts.pins = Some(Pin::Unknown);
            draft.facts.access = Access::Write;
            tables.many = Some(Many::Write { write: WriteKind::Split, allowed: true });
        }
    }
    if matches!(goes, Goes::Defines) {
        if tables.groups.len() > 1 {
            return Err(refuse(
                "hint",
                "The hint node() sends a definition to one node: write a statement for each",
            ));
        }
        draft.facts.access = Access::Definition;
        draft.facts.prepared = PreparedForm::Text;
        draft.facts.commits = !matches!(
            draft.kind,
            StatementKind::CreateTable { temporary: true }
                | StatementKind::DropTable { temporary: true }
        );
    }
    Ok(Outcome::Plan(draft.finish(Action::Tables(tables))))
}

/// A name may be qualified by the schema's own physical databases, and by tables of the statement.
fn stays_inside(
    draft: &Draft,
    classified: &Classified,
    tokens: &[Token],
    (groups, places): (&[GroupId], &[(GroupId, Arc<str>)]),
) -> Result<()> {
    let input = draft.input;
    let mentions = mentioned_names(input.sql, tokens);
    let foreign = |mention: &&Mention| {
        let own = |schema: &String| {
            let has =
                |group: &GroupId| places.iter().any(|(of, name)| of == group && **name == **schema);
            groups.iter().all(has)
        };
        mention.schema.as_ref().is_some_and(|schema| !own(schema))
    };
    let Some(first) = mentions.iter().find(foreign) else { return Ok(()) };
    let refused = || {
        let schema = first.schema.as_deref().unwrap_or_default();
        refuse(
            "hint",
            format!(
                "The hint node() sends names as they are, and '{schema}' is no physical database of this schema: \
                 write '{}' without it",
                first.name
            ),
        )
    };
    let significant: Vec<&Token> = tokens.iter().filter(|token| !token.kind.is_trivia()).collect();
    let called = |mention: &Mention| {
        let behind = significant.iter().find(|token| token.range().start >= mention.range.end);
        behind.is_some_and(|token| token.is_symbol(input.sql, "("))
    };
    if mentions.iter().filter(foreign).any(called) {
        return Err(refused());
    }
    let inner = classified.inner.unwrap_or(0);
    let parsed = parse::parse_from(input.sql, input.lexed, input.dialect, inner);
    let parsed = parsed.map_err(|_| refused())?;
    let mut survey = Survey::new(input);
    views::surveyed(&mut survey, &parsed).map_err(|_| refused())?;
    match survey.uses.iter().all(|used| used.written.schema.is_none()) {
        true => Ok(()),
        false => Err(refused()),
    }
}
