//! A day of the civil calendar.

use super::{MAX_UTC_OFFSET_MINUTES, TimeError, Timestamp, digits};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use std::str::FromStr;

/// Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar. Counting years from
/// March puts the leap day last, where it disturbs no month.
const EPOCH_FROM_MARCH_0000: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// Microseconds in a day. A civil day of the ledger has no leap seconds, as Unix time has none.
const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Microseconds in a minute.
const MICROS_PER_MINUTE: i64 = 60_000_000;

/// A day of the Gregorian calendar, years 1 to 9999, without a time zone. Ordered by time.
///
/// Written `2026-11-21`; serialised as that text where people read it, and as days since 1970-01-01
/// elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The first day that can be written.
    pub const MIN: Self = Self { year: 1, month: 1, day: 1 };
    /// The last day that can be written.
    pub const MAX: Self = Self { year: 9999, month: 12, day: 31 };

    /// The day with this year (1 to 9999), month (1 to 12) and day of the month.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, TimeError> {
        Self::from_numbers(i64::from(year), i64::from(month), i64::from(day))
    }

    /// The same for numbers of any size, as they come from a text or from the wire.
    pub fn from_numbers(year: i64, month: i64, day: i64) -> Result<Self, TimeError> {
        if !(1..=9999).contains(&year) {
            return Err(TimeError::DayOutOfRange);
        }
        let none = TimeError::NoSuchDay { year, month, day };
        if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return Err(none);
        }
        Ok(Self::narrow(year, month, day))
    }

    /// The day so many days after 1970-01-01 (before it, if negative).
    pub fn from_days_since_epoch(days: i64) -> Result<Self, TimeError> {
        if !(Self::MIN.days_since_epoch()..=Self::MAX.days_since_epoch()).contains(&days) {
            return Err(TimeError::DayOutOfRange);
        }
        let from_march_0000 = days + EPOCH_FROM_MARCH_0000;
        let era = from_march_0000.div_euclid(DAYS_PER_ERA);
        let day_of_era = from_march_0000.rem_euclid(DAYS_PER_ERA);
        // Take out the leap days, each where it falls, so that what is left divides into years of
        // 365.
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // From March on, the months repeat 31 30 31 30 31: 153 days in five.
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = 400 * era + year_of_era + i64::from(month <= 2);
        Ok(Self::narrow(year, month, day))
    }

    /// The day on which this moment falls where clocks stand `utc_offset_minutes` east of Greenwich
    /// (-1080 to 1080).
    pub fn of(moment: Timestamp, utc_offset_minutes: i32) -> Result<Self, TimeError> {
        if !(-MAX_UTC_OFFSET_MINUTES..=MAX_UTC_OFFSET_MINUTES).contains(&utc_offset_minutes) {
            return Err(TimeError::OffsetOutOfRange { minutes: utc_offset_minutes });
        }
        let local = moment.micros() + i64::from(utc_offset_minutes) * MICROS_PER_MINUTE;
        Self::from_days_since_epoch(local.div_euclid(MICROS_PER_DAY))
    }

    /// The year, 1 to 9999.
    #[must_use]
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    #[must_use]
    pub fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01; negative before it.
    #[must_use]
    pub fn days_since_epoch(self) -> i64 {
        let month_from_march = (i64::from(self.month) + 9) % 12;
        let year = i64::from(self.year) - month_from_march / 10;
        365 * year + year / 4 - year / 100
            + year / 400
            + (153 * month_from_march + 2) / 5
            + i64::from(self.day)
            - 1
            - EPOCH_FROM_MARCH_0000
    }

    /// The day so many days later (earlier, if negative).
    pub fn add_days(self, days: i64) -> Result<Self, TimeError> {
        let sum = self.days_since_epoch().checked_add(days).ok_or(TimeError::DayOutOfRange)?;
        Self::from_days_since_epoch(sum)
    }

    /// The last day of this day's month: what a label means that prints an expiry without a day.
    #[must_use]
    pub fn month_end(self) -> Self {
        let day = days_in_month(i64::from(self.year), i64::from(self.month));
        Self::narrow(i64::from(self.year), i64::from(self.month), day)
    }

    /// Whole years from `birth` to this day; 0 if `birth` is later. Whoever was born on 29 February
    /// completes a year on 1 March where there is no 29th, so that nobody is counted as of age too
    /// early.
    #[must_use]
    pub fn full_years_since(self, birth: Self) -> u16 {
        let before_birthday = (self.month, self.day) < (birth.month, birth.day);
        self.year.saturating_sub(birth.year).saturating_sub(u16::from(before_birthday))
    }

    /// The first moment of this day in UTC; an error before 1970.
    pub fn start_in_utc(self) -> Result<Timestamp, TimeError> {
        Timestamp::from_micros(self.days_since_epoch() * MICROS_PER_DAY)
    }

    fn narrow(year: i64, month: i64, day: i64) -> Self {
        const CHECKED: &str = "year, month and day were checked or computed within the calendar";
        Self {
            year: u16::try_from(year).expect(CHECKED),
            month: u8::try_from(month).expect(CHECKED),
            day: u8::try_from(day).expect(CHECKED),
        }
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for Date {
    type Err = TimeError;

    /// Reads `2026-11-21`: four, two and two digits.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let mut parts = text.split('-');
        let mut next = |width: usize| {
            let part = parts.next().filter(|part| part.len() == width)?;
            digits(part)
        };
        let (year, month, day) = (next(4), next(2), next(2));
        match (year, month, day, parts.next()) {
            (Some(year), Some(month), Some(day), None) => Self::from_numbers(year, month, day),
            _ => Err(TimeError::NotADate),
        }
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.days_since_epoch())
        }
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            Self::from_days_since_epoch(i64::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn leap_days_exist_exactly_in_leap_years() {
        for (year, leap) in
            [(2024, true), (2026, false), (1900, false), (2000, true), (2100, false)]
        {
            assert_eq!(Date::new(year, 2, 29).is_ok(), leap, "{year}");
        }
    }

    #[test]
    fn the_epoch_is_day_zero_and_the_leap_day_of_2000_is_day_11016() {
        assert_eq!(date("1970-01-01").days_since_epoch(), 0);
        assert_eq!(date("2000-02-29").days_since_epoch(), 11_016);
        assert_eq!(date("1969-12-31").days_since_epoch(), -1);
    }

    #[test]
    fn the_end_of_a_month_knows_february() {
        assert_eq!(date("2028-02-01").month_end(), date("2028-02-29"));
        assert_eq!(date("2027-02-28").month_end(), date("2027-02-28"));
        assert_eq!(date("2026-11-21").month_end(), date("2026-11-30"));
        assert_eq!(date("2026-12-31").month_end(), date("2026-12-31"));
    }

    #[test]
    fn nobody_comes_of_age_a_day_early() {
        let birth = date("2008-11-22");
        assert_eq!(date("2026-11-21").full_years_since(birth), 17);
        assert_eq!(date("2026-11-22").full_years_since(birth), 18);
        let leap = date("2008-02-29");
        assert_eq!(date("2026-02-28").full_years_since(leap), 17);
        assert_eq!(date("2026-03-01").full_years_since(leap), 18);
        assert_eq!(date("2007-01-01").full_years_since(leap), 0);
    }

    #[test]
    fn the_day_of_a_moment_follows_the_offset() {
        let moment: Timestamp = "2026-11-21T02:30:00Z".parse().unwrap();
        assert_eq!(Date::of(moment, 0), Ok(date("2026-11-21")));
        assert_eq!(Date::of(moment, -300), Ok(date("2026-11-20")));
        assert_eq!(Date::of(moment, 1_081), Err(TimeError::OffsetOutOfRange { minutes: 1_081 }));
        assert_eq!(Date::of(Timestamp::MIN, -1), Ok(date("1969-12-31")));
        assert_eq!(Date::of(Timestamp::MAX, 1), Err(TimeError::DayOutOfRange));
    }

    #[test]
    fn only_one_spelling_of_a_date_is_read() {
        for text in
            ["", "2026-11-2", "2026-1-21", "26-11-21", "2026/11/21", "+026-11-21", "2026-11-21 "]
        {
            assert_eq!(text.parse::<Date>(), Err(TimeError::NotADate), "{text:?}");
        }
        assert_eq!(
            "2026-02-30".parse::<Date>(),
            Err(TimeError::NoSuchDay { year: 2026, month: 2, day: 30 })
        );
        assert_eq!("0000-01-01".parse::<Date>(), Err(TimeError::DayOutOfRange));
    }

    #[test]
    fn adding_days_stops_at_the_ends_of_the_calendar() {
        assert_eq!(date("2028-02-28").add_days(2), Ok(date("2028-03-01")));
        assert_eq!(Date::MAX.add_days(1), Err(TimeError::DayOutOfRange));
        assert_eq!(Date::MIN.add_days(-1), Err(TimeError::DayOutOfRange));
        assert_eq!(Date::MIN.add_days(i64::MAX), Err(TimeError::DayOutOfRange));
    }

    #[test]
    fn serialised_it_is_text_for_people_and_a_number_for_machines() {
        let day = date("2026-11-21");
        assert_eq!(serde_json::to_string(&day).unwrap(), "\"2026-11-21\"");
        assert_eq!(serde_json::from_str::<Date>("\"2026-11-21\"").unwrap(), day);
        assert!(serde_json::from_str::<Date>("\"2026-11-31\"").is_err());
        let bytes = postcard::to_allocvec(&day).unwrap();
        assert_eq!(postcard::from_bytes::<Date>(&bytes).unwrap(), day);
    }

    proptest! {
        #[test]
        fn the_calendar_agrees_with_jiff(days in -719_162_i64..=2_932_896) {
            let ours = Date::from_days_since_epoch(days).unwrap();
            let theirs = jiff::civil::date(1970, 1, 1)
                .checked_add(jiff::Span::new().days(days))
                .unwrap();
            prop_assert_eq!(ours.to_string(), theirs.to_string());
            prop_assert_eq!(ours.days_since_epoch(), days);
            prop_assert_eq!(ours.month_end().to_string(), theirs.last_of_month().to_string());
        }

        #[test]
        fn order_is_the_order_of_days(
            a in -719_162_i64..=2_932_896, b in -719_162_i64..=2_932_896,
        ) {
            let (first, second) =
                (Date::from_days_since_epoch(a).unwrap(), Date::from_days_since_epoch(b).unwrap());
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,24}") {
            if let Ok(day) = text.parse::<Date>() {
                prop_assert_eq!(day.to_string(), text);
            }
        }
    }
}
