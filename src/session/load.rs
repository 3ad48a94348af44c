//! LOAD DATA LOCAL into a table that is in several places.
//!
//! Owns: asking the client for its file, the window of records that is held, and the transaction
//! around the whole of it. Never: cuts records ([`crate::sql::load::cut`]) or routes them
//! ([`crate::planner::load`]).
//!
//! The file is read only as fast as its records are written: a window of them is cut, dealt out to
//! their places and written there as LOAD DATA LOCAL of the physical tables, then the client is read
//! again. Everything is in one transaction. The client is asked for the file that its own statement
//! names and for no other, and once it was asked, all that it sends is read before it is answered.

mod windows;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::backend::connection::Pipelining;
use crate::context::Snapshot;
use crate::error::{Error, Fault, Result};
use crate::executor::write::Written;
use crate::name::GroupId;
use crate::observe::budget::Reservation;
use crate::observe::sessions::{Stop, Watch};
use crate::planner::Plan;
use crate::planner::bind::Binding;
use crate::planner::load::{Load, Reading};
use crate::planner::plan::Target;
use crate::protocol::capability::Capabilities;
use crate::protocol::error_code;
use crate::protocol::response::write_local_infile;
use crate::rules::table::Placement;
use crate::session::forward::Failure;
use crate::session::lend::Purpose;
use crate::session::own::rows;
use crate::session::query::{Manner, Outcome};
use crate::session::user_values::user_values;
use crate::session::workbench::bench::Deadline;
use crate::session::workbench::change::read_only;
use crate::session::{End, Session};
use crate::sql::lex::{self, ServerKind};
use crate::sql::load::cut::{Cut, Cutter, FileCharset, Record};
use crate::sql::load::{self, LoadData};
use windows::Window;

/// How long a client may send nothing of its file: the default of a server's `net_read_timeout`.
const SILENCE: Duration = Duration::from_secs(30);

/// Bytes of records that are held for each place, and in all.
const PLACE_BYTES: usize = 256 << 10;
const WINDOW_BYTES: std::ops::RangeInclusive<usize> = (1 << 20)..=(8 << 20);

/// One statement and what it works with.
#[derive(Clone, Copy)]
struct Work<'w> {
    snapshot: &'w Arc<Snapshot>,
    plan: &'w Plan,
    load: &'w Load,
    binding: &'w Binding<'w>,
    statement: &'w LoadData,
    /// The file's.
    charset: &'w str,
    reading: &'w Reading<'w>,
    deadline: Deadline,
    /// The moment that the statement's clock stands at.
    now: Duration,
    /// The transaction is Weir's own, around this statement.
    own: bool,
}

/// What the client sends.
struct File {
    /// What was read of it and isn't cut yet.
    buffer: Vec<u8>,
    /// The client has said that there is no more.
    ended: bool,
    /// The most bytes of one record.
    most: usize,
    memory: Reservation,
}

impl Session {
    /// Runs LOAD DATA LOCAL.
    pub(super) async fn load(
        &mut self,
        snapshot: &Arc<Snapshot>,
        plan: &Plan,
        load: &Load,
        binding: &Binding<'_>,
        manner: Manner<'_>,
    ) -> Result<Outcome, Failure> {
        if !self.capabilities.contains(Capabilities::LOCAL_FILES) {
            return Err(error_code::local_infile_disabled(self.is_mariadb()).into());
        }
        if self.transaction.is_read_only() {
            return Err(read_only(self.dialect.server).into());
        }
        let sql = binding.sql.get(..binding.lexed.end()).unwrap_or(binding.sql);
        let tokens = lex::tokens(sql, self.dialect, self.ctx.lexer.limits())?;
        let statement = load::parse(sql, &tokens, &self.dialect)?;
        let deadline = self.deadline(&plan.facts, snapshot);
        let charset = self.charset_of_file(snapshot, load, &statement).await?;
        let file_charset = known_charset(&charset, load, &statement)?;
        let reading = load.reading(&statement, &charset, binding.session)?;
        let kind = self.dialect.server;
        let cutter = Cutter::new(&statement.format, file_charset, kind, reading.fields.max(1));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let held = self.held.groups();
        let window_bytes =
            (load.places() * PLACE_BYTES).clamp(*WINDOW_BYTES.start(), *WINDOW_BYTES.end());
        let mut file = File {
            buffer: Vec::new(),
            ended: false,
            most: self.settings.limits.max_allowed_packet.bytes(),
            memory: self.ctx.shared.budget.reserve(2 * window_bytes as u64)?,
        };
        let own = self.begin_change();
        let work = Work {
            snapshot,
            plan,
            load,
            binding,
            statement: &statement,
            charset: &charset,
            reading: &reading,
            deadline,
            now,
            own,
        };
        if plan.facts.looks_back {
            self.last.begin();
        }
        let mut window = Window::new(window_bytes);
        let loaded = self.load_file(work, &cutter, &mut file, &mut window).await;
        let loaded = match loaded {
            Ok(()) => self.loaded(work, &window).await,
            Err(failure) => Err(failure),
        };
        match loaded {
            Ok(()) => {
                self.reply_loaded(work, &mut window, manner.more);
                Ok(Outcome::Good)
            }
            Err(Failure::Statement(error)) => {
                let error = self.running.explain(error);
                self.forget_variables(work, &window).await;
                self.undo_change(&window.marked, own.then_some(&*held), &error).await;
                self.drain_file(&mut file).await?;
                Err(Failure::Statement(Error { fatal: false, ..error }))
            }
            Err(failure) => Err(failure),
        }
    }

    fn is_mariadb(&self) -> bool {
        self.dialect.server == ServerKind::MariaDb
    }

    /// The character set that a server would read the file in; asks whether it takes files at all.
    async fn charset_of_file(
        &mut self,
        snapshot: &Arc<Snapshot>,
        load: &Load,
        statement: &LoadData,
    ) -> Result<String, Failure> {
        let place = match &load.placement {
            Placement::Sharded(table) => {
                table.shards.first().map(|shard| (shard.group, shard.database.clone()))
            }
            Placement::Broadcast(table) => table.copies.first().cloned(),
            Placement::Single(table) => Some((table.group, table.database.clone())),
        };
        let (group, database) = place.ok_or_else(|| Error::internal("a table without a place"))?;
        let target = Target::plain(group, Some(database));
        let mut lent = self.lend(snapshot, &target, Purpose::OWN).await?;
        let state = self.state.in_database(target.database.as_ref());
        let asked = async {
            lent.enter(&state, Pipelining::All).await?;
            lent.send_lead().await?;
            rows(&mut lent, b"SELECT @@local_infile, @@character_set_database LIMIT 1").await
        };
        let found = asked.await;
        self.settle(group, lent, snapshot).await;
        let mut values = found?.rows.into_iter().next().unwrap_or_default().into_iter();
        let mut text = || {
            let value = values.next().flatten().unwrap_or_default();
            String::from_utf8_lossy(&value).to_ascii_lowercase()
        };
        if text() == "0" {
            let error = error_code::local_infile_disabled(self.is_mariadb());
            let name = snapshot.rules.group_name(group);
            let message =
                format!("{} (local_infile is off on the servers of group '{name}')", error.message);
            return Err(Error { fault: Fault::Refused, message, ..error }.into());
        }
        let default = text();
        Ok(statement.charset.clone().unwrap_or(default))
    }

    /// Asks for the file, and writes its records.
    async fn load_file(
        &mut self,
        work: Work<'_>,
        cutter: &Cutter,
        file: &mut File,
        window: &mut Window,
    ) -> Result<(), Failure> {
        let name = &work.statement.file;
        self.stream.write_with(|out| write_local_infile(name, out));
        let flushed = self.stream.flush().await;
        flushed.map_err(|error| Failure::Session(End::Error(error)))?;
        let mut record = Record::taking(work.reading.looks.iter().copied());
        let mut skip = work.statement.skip;
        // Where the next record begins, and how much must be there before it is looked for again.
        let (mut at, mut wanted) = (0, 0);
        loop {
            let known = file.buffer.len();
            let cut = if known < wanted && !file.ended {
                Cut::More
            } else if skip > 0 {
                match cutter.line(&file.buffer, at, file.ended) {
                    Some(end) => {
                        skip -= 1;
                        at = end;
                        continue;
                    }
                    None => Cut::More,
                }
            } else {
                cutter.record(&file.buffer, at, file.ended, &mut record)
            };
            match cut {
                Cut::Record => {
                    self.take_record(work, &file.buffer, &record, window).await?;
                    at = record.range.end;
                    if window.is_full() {
                        self.write_window(work, window).await?;
                    }
                }
                Cut::End => return self.write_window(work, window).await,
                Cut::Broken => return Err(broken(window.rows).into()),
                Cut::More => {
                    file.buffer.drain(..at);
                    at = 0;
                    let left = file.buffer.len();
                    if left > file.most {
                        return Err(too_long(window.rows, file.most).into());
                    }
                    wanted = left + left / 2;
                    self.read_file(work.deadline, file).await?;
                }
            }
        }
    }

    /// The next packet of the file.
    async fn read_file(&mut self, deadline: Deadline, file: &mut File) -> Result<(), Failure> {
        let limit = deadline.left();
        let silence = limit.map_or(SILENCE, |limit| limit.min(SILENCE));
        let read = tokio::select! {
            biased;
            read = self.stream.await_packet() => read,
            stop = self.registration.stopped(Watch::Statement) => return Err(stopped(stop)),
            () = tokio::time::sleep(silence) => {
                if limit.is_some_and(|limit| limit <= SILENCE) {
                    return Err(crate::executor::running::timeout_error().into());
                }
                return Err(Failure::Session(End::Error(silent())));
            }
        };
        match read {
            Ok(Some(place)) => {
                let packet = self.stream.packet(place);
                file.ended = packet.is_empty();
                let more = (file.buffer.len() + packet.len()) as u64;
                if more > file.memory.bytes() {
                    file.memory.grow(more - file.memory.bytes())?;
                }
                file.buffer.extend_from_slice(packet);
                Ok(())
            }
            Ok(None) => Err(Failure::Session(End::Client)),
            Err(error) => Err(Failure::Session(End::Error(error))),
        }
    }

    /// After an error: the client reads its answer only when it has sent all.
    async fn drain_file(&mut self, file: &mut File) -> Result<(), Failure> {
        file.buffer = Vec::new();
        while !file.ended {
            let read = tokio::select! {
                biased;
                read = self.stream.await_packet() => read,
                stop = self.registration.stopped(Watch::InTransaction) => return Err(stopped(stop)),
                () = tokio::time::sleep(SILENCE) => {
                    return Err(Failure::Session(End::Error(silent())));
                }
            };
            match read {
                Ok(Some(place)) => file.ended = place.is_empty(),
                Ok(None) => return Err(Failure::Session(End::Client)),
                Err(error) => return Err(Failure::Session(End::Error(error))),
            }
        }
        Ok(())
    }

    /// All records are written: what the last one left in variables becomes the session's, and the
    /// transaction ends where it is Weir's own.
    async fn loaded(&mut self, work: Work<'_>, window: &Window) -> Result<(), Failure> {
        if let Some(group) = window.last_group
            && !work.reading.variables.is_empty()
            && let Some(mut lent) = self.held.take(group)
        {
            let mut state = self.state.clone();
            let found = user_values(&mut lent, &work.reading.variables, &mut state).await;
            self.settle(group, lent, work.snapshot).await;
            found?;
            self.state = state;
        }
        self.forget_variables(work, window).await;
        if work.own {
            self.end_transaction(b"COMMIT").await?;
        }
        Ok(())
    }

    /// Variables that a record was read into are unknown to the state that a connection is known to
    /// have: they are emptied.
    async fn forget_variables(&mut self, work: Work<'_>, window: &Window) {
        let names = work.reading.variables.iter();
        let set: Vec<String> =
            names.map(|name| format!("@`{}`=NULL", name.replace('`', "``"))).collect();
        if set.is_empty() {
            return;
        }
        let sql = format!("SET {}", set.join(","));
        for group in &window.groups {
            let Some(mut lent) = self.held.take(*group) else { continue };
            if lent.is_in_step() && lent.simple(sql.as_bytes()).await.is_err() {
                lent.condemn();
            }
            self.settle(*group, lent, work.snapshot).await;
        }
    }

    fn reply_loaded(&mut self, work: Work<'_>, window: &mut Window, more: bool) {
        let info = window.info();
        let written = Written { info, ..std::mem::take(&mut window.written) };
        self.reply_written(&written, &work.plan.facts, more);
        // The packet names none.
        if let Some(id) = window.first_id {
            self.last.insert_id = id;
        }
    }

    /// Refuses a second group where the rules don't let writes go to several.
    fn check_groups(work: Work<'_>, groups: &[GroupId]) -> Result<()> {
        if groups.len() < 2 || work.load.allowed {
            return Ok(());
        }
        Err(Error::refused(
            "scatter_write",
            format!(
                "The records of the file go to {} groups and more: allow scatter_writes in the rules of table \
                 '{}', or add the hint /*+ weir: scatter_ok */",
                groups.len(),
                work.load.name,
            ),
        ))
    }
}

/// Where characters of the file end.
fn known_charset(charset: &str, load: &Load, statement: &LoadData) -> Result<FileCharset> {
    let known = FileCharset::of(charset).filter(|one| one.knows(&statement.format));
    known.ok_or_else(|| {
        Error::refused(
            "load_data",
            format!(
                "LOAD DATA into '{}', which is in several places, doesn't know where characters of \
                 '{charset}' end between such terminators: convert the file to utf8mb4, and say its \
                 CHARACTER SET",
                load.name
            ),
        )
    })
}

fn stopped(stop: Stop) -> Failure {
    match stop {
        Stop::Query => error_code::interrupted().into(),
        stop => Failure::Session(End::Stopped(stop)),
    }
}

fn silent() -> Error {
    Error::new(
        Fault::Client,
        1159,
        b"08S01",
        "load_data_silence",
        format!("The client sent nothing of its file for {} s", SILENCE.as_secs()),
    )
    .fatal()
}

fn broken(rows: u64) -> Error {
    Error::refused(
        "load_data",
        format!(
            "Row {} ends inside of a broken character: where the next one begins can't be told. Nothing was \
             loaded",
            rows + 1
        ),
    )
}

fn too_long(rows: u64, most: usize) -> Error {
    Error::limit(
        1153,
        "load_data_record",
        format!(
            "Row {} of the file is longer than {most} bytes (limits.max_allowed_packet): are its terminators \
             those of the statement? Nothing was loaded",
            rows + 1
        ),
    )
}
