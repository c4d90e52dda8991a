//! Times as the site's clocks show them.

use crate::pb::v1;
use crate::time::{Date, Timestamp};
use crate::wire::timestamp_from_wire;

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A moment of the wire, where there is one.
pub(super) fn moment(wire: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    wire.and_then(|wire| timestamp_from_wire(wire).ok())
}

/// Whole minutes from one moment to a later one; negative the other way round.
pub(super) fn minutes_between(from: Timestamp, to: Timestamp) -> i64 {
    to.micros_since(from).div_euclid(MICROS_PER_MINUTE)
}

/// When the first dose of a session began.
pub(super) fn first_dose(session: &v1::Session) -> Option<Timestamp> {
    session.doses.iter().filter_map(|dose| moment(dose.start_time.as_ref())).min()
}

/// The site's clock: its standard time, all year round.
#[derive(Clone, Copy, Debug)]
pub(super) struct SiteTime {
    offset_minutes: i32,
}

impl SiteTime {
    pub(super) fn of(site: &v1::Site) -> Self {
        Self { offset_minutes: site.utc_offset_minutes }
    }

    /// `UTC-05:00`.
    pub(super) fn zone(self) -> String {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let minutes = self.offset_minutes.unsigned_abs();
        format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// The day, where the calendar has it.
    pub(super) fn day(self, moment: Timestamp) -> Option<Date> {
        Date::of(moment, self.offset_minutes).ok()
    }

    /// Day and time: `2026-11-20 14:05`.
    pub(super) fn full(self, moment: Option<Timestamp>) -> String {
        let Some(moment) = moment else { return String::new() };
        match self.day(moment) {
            Some(day) => format!("{day} {}", self.clock(moment)),
            None => moment.to_string(),
        }
    }

    /// The time alone on the day of `near`, else day and time.
    pub(super) fn short(self, moment: Option<Timestamp>, near: Option<Timestamp>) -> String {
        let day = |moment: Option<Timestamp>| moment.and_then(|moment| self.day(moment));
        match moment {
            Some(at) if day(moment) == day(near) => self.clock(at),
            _ => self.full(moment),
        }
    }

    /// `14:05`, the minute that has begun.
    fn clock(self, moment: Timestamp) -> String {
        let local = moment.micros() + i64::from(self.offset_minutes) * MICROS_PER_MINUTE;
        let minutes = local.rem_euclid(MICROS_PER_DAY) / MICROS_PER_MINUTE;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Minutes after the first dose: `+40 min`, `-10 min`; nothing without a dose.
pub(super) fn after_dose(moment: Option<Timestamp>, dose: Option<Timestamp>) -> String {
    match (dose, moment) {
        (Some(dose), Some(moment)) => match minutes_between(dose, moment) {
            // A space that does not break: no sign or number is parted from its unit.
            0 => "0\u{a0}min".to_owned(),
            minutes => format!("{minutes:+}\u{a0}min"),
        },
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(utc_offset_minutes: i32) -> SiteTime {
        SiteTime::of(&v1::Site { utc_offset_minutes, ..Default::default() })
    }

    #[test]
    fn times_are_those_of_the_site() {
        let moment = Some("2026-11-21T03:05:59Z".parse().unwrap());
        assert_eq!(site(-300).full(moment), "2026-11-20 22:05");
        assert_eq!(site(345).full(moment), "2026-11-21 08:50");
        assert_eq!(site(-300).zone(), "UTC-05:00");
        assert_eq!(site(345).zone(), "UTC+05:45");
        let next = Some("2026-11-21T05:00:00Z".parse().unwrap());
        assert_eq!(site(-300).short(next, moment), "2026-11-21 00:00");
        assert_eq!(site(0).short(next, moment), "05:00");
        assert_eq!(site(0).full(None), "");
    }

    #[test]
    fn minutes_after_the_dose_carry_their_sign() {
        let dose = Some("2026-11-21T14:00:00Z".parse().unwrap());
        let at = |text: &str| after_dose(Some(text.parse().unwrap()), dose);
        assert_eq!(at("2026-11-21T14:40:30Z"), "+40\u{a0}min");
        assert_eq!(at("2026-11-21T13:50:00Z"), "-10\u{a0}min");
        assert_eq!(after_dose(dose, None), "");
    }
}
