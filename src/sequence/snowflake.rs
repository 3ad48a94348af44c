//! Snowflake ids: time, worker, counter.
//!
//! Owns: [`Maker`], which makes the ids of one sequence under a lease. Never: reads a clock, or
//! leases anything: the time and the [`Grant`] are given to it.
//!
//! Ids never repeat, whatever any clock does, because a lease is one of *id time* and not of a
//! clock's: a worker may use times from `from` up to `until`, both stand in the lease's row, and
//! whoever has the worker next begins at that `until`. Within a lease the maker's own time only
//! goes forwards: where the clock is behind it, or a millisecond's counter is used up, it goes on
//! from where it is, one millisecond at a time, without waiting.

use crate::rules::sequence::Layout;

/// What a lease lets its holder use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub worker: u32,
    /// The first time that nobody has used with this worker, in milliseconds since 1970.
    pub from: u64,
    /// The first time that the holder may not use.
    pub until: u64,
}

/// Why there is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// No worker is leased.
    NoLease,
    /// The lease's last time is reached: it must be renewed.
    LeaseOver,
    /// More than one millisecond's ids were asked for, so that they can't be consecutive.
    TooMany,
    /// The layout's bits hold no such time.
    TimeOver,
}

/// The ids of one sequence in one process.
#[derive(Clone, Debug)]
pub struct Maker {
    layout: Layout,
    grant: Option<Grant>,
    /// Of the last id.
    time: u64,
    /// The next counter in `time`.
    next: u32,
}

impl Maker {
    /// `floor`: no id has an earlier time.
    pub fn new(layout: Layout, floor: u64) -> Self {
        Maker { layout, grant: None, time: floor, next: 0 }
    }

    /// From now on under this lease; `None` where none is held.
    pub fn adopt(&mut self, grant: Option<Grant>) {
        self.grant = grant;
    }

    /// The time of the last id, which may be ahead of every clock.
    pub fn time(&self) -> u64 {
        self.time
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The first of `count` consecutive ids, all higher than those before. `now`: milliseconds
    /// since 1970.
    ///
    /// # Errors
    /// Nothing is used up then.
    pub fn take(&mut self, now: u64, count: u32) -> Result<u64, Lack> {
        let most = self.layout.per_millisecond();
        let count = count.max(1);
        if count > most {
            return Err(Lack::TooMany);
        }
        let grant = self.grant.ok_or(Lack::NoLease)?;
        let mut time = now.max(self.time).max(grant.from).max(self.layout.epoch);
        let mut next = if time == self.time { self.next } else { 0 };
        if next > most - count {
            time += 1;
            next = 0;
        }
        if time >= grant.until {
            return Err(Lack::LeaseOver);
        }
        let id = self.layout.id(time, grant.worker, next).ok_or(Lack::TimeOver)?;
        self.time = time;
        self.next = next + count;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: u64 = 86_400_000;

    fn small() -> Layout {
        Layout { worker_bits: 2, sequence_bits: 4, ..Layout::default() }
    }

    fn grant(worker: u32, from: u64, until: u64) -> Option<Grant> {
        Some(Grant { worker, from, until })
    }

    #[test]
    fn an_id_has_its_parts_in_twitters_places() {
        let layout = Layout { epoch: 1_288_834_974_657, worker_bits: 10, sequence_bits: 12 };
        // In the layout that Twitter published, with its epoch.
        let id = 744_262_446_254_723_072;
        let (time, worker, count) = layout.parts(id);
        assert_eq!(layout.id(time, worker, count), Some(id));
        assert_eq!(time / DAY, 16_970, "days since 1970 of 2016-06-18");
        assert_eq!(layout.workers(), 1024);
        assert_eq!(layout.per_millisecond(), 4096);
        assert_eq!(layout.id(layout.end(), 0, 0), None);
        let last = layout.id(layout.end() - 1, 1023, 4095);
        assert_eq!(last, Some(i64::MAX as u64));
        assert_eq!(layout.id(layout.epoch - 1, 0, 0), None);
        assert_eq!(layout.id(layout.epoch, 1024, 0), None);
        assert_eq!(layout.id(layout.epoch, 0, 4096), None);
    }

    #[test]
    fn no_lease_no_id_and_none_beyond_its_end() {
        let layout = small();
        let start = layout.epoch + DAY;
        let mut maker = Maker::new(layout, 0);
        assert_eq!(maker.take(start, 1), Err(Lack::NoLease));
        maker.adopt(grant(1, start, start + 2));
        assert_eq!(maker.take(start, 17), Err(Lack::TooMany));
        assert!(maker.take(start, 16).is_ok());
        assert!(maker.take(start, 16).is_ok());
        assert_eq!(maker.take(start, 1), Err(Lack::LeaseOver));
        assert_eq!(maker.take(start + DAY, 1), Err(Lack::LeaseOver));
        maker.adopt(grant(1, start, start + 3));
        let id = maker.take(start, 1).unwrap();
        assert_eq!(layout.parts(id), (start + 2, 1, 0));
    }

    #[test]
    fn a_statement_stays_within_one_millisecond() {
        let layout = small();
        let start = layout.epoch + DAY;
        let mut maker = Maker::new(layout, 0);
        maker.adopt(grant(0, start, start + DAY));
        maker.take(start, 10).unwrap();
        let first = maker.take(start, 10).unwrap();
        assert_eq!(layout.parts(first), (start + 1, 0, 0));
        assert_eq!(layout.parts(first + 9), (start + 1, 0, 9));
    }

    #[test]
    fn a_clock_that_jumps_back_stops_nobody() {
        let layout = Layout::default();
        let start = layout.epoch + DAY;
        let mut maker = Maker::new(layout, 0);
        maker.adopt(grant(0, start, start + DAY));
        let mut last = maker.take(start + 1000, 1).unwrap();
        for _ in 0..100_000 {
            let id = maker.take(start - DAY, 1).unwrap();
            assert!(id > last);
            last = id;
        }
        // 100,000 ids moved it 25 ms on, not a day back.
        assert_eq!(maker.time(), start + 1000 + 24);
    }

    /// What can happen to two processes that share one worker id's row, one after the other.
    #[derive(Clone, Debug)]
    enum Event {
        Clock(i64),
        Take(u32),
        Renew,
        /// The holder is gone or was taken for gone; its maker goes on until its lease's end.
        Takeover,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => (-100_000_i64..100_000).prop_map(Event::Clock),
            6 => (1_u32..20).prop_map(Event::Take),
            3 => Just(Event::Renew),
            1 => Just(Event::Takeover),
        ]
    }

    proptest! {
        /// The row's `until` alone keeps ids apart: each holder has a clock that jumps as it likes,
        /// and holders that lost the lease go on taking.
        #[test]
        fn ids_never_repeat(events in prop::collection::vec((0_usize..3, event()), 1..400)) {
            let layout = small();
            let origin = layout.epoch + DAY;
            let mut until = origin;
            let mut owner = 0;
            let mut clocks = [origin; 3];
            let mut makers = [(); 3].map(|()| Maker::new(layout, 0));
            let mut seen = std::collections::HashSet::new();
            let mut last = [0_u64; 3];
            for (who, event) in events {
                let clock = &mut clocks[who];
                match event {
                    Event::Clock(by) => *clock = clock.saturating_add_signed(by).max(layout.epoch),
                    Event::Renew if who == owner => {
                        let from = makers[who].grant.map_or(until, |grant| grant.from);
                        until = until.max(clock.max(&mut makers[who].time.clone()).saturating_add(50));
                        makers[who].adopt(grant(1, from, until));
                    }
                    Event::Takeover => {
                        owner = who;
                        let from = until.max(*clock);
                        until = from + 50;
                        makers[who].adopt(grant(1, from, until));
                    }
                    Event::Take(count) => {
                        let Ok(first) = makers[who].take(*clock, count) else { continue };
                        prop_assert!(first > last[who]);
                        for id in first..first + u64::from(count) {
                            prop_assert!(seen.insert(id), "{id} twice");
                            prop_assert_eq!(layout.parts(id).1, 1);
                        }
                        last[who] = first + u64::from(count) - 1;
                    }
                    Event::Renew => {}
                }
            }
        }
    }
}
