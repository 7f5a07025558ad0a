//! Dates as chat templates ask for them.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// From the day of the epoch on.
const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

/// Writes a time in UTC as Python's `strftime` does in English: `%Y`, `%y`, `%m`, `%B`, `%b`,
/// `%d`, `%A`, `%a`, `%H`, `%M`, `%S` and `%%`. The letter, if there is another one after a `%`.
pub(super) fn strftime(time: SystemTime, format: &str) -> Result<String, char> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (month_name, day_name) = (MONTHS[month - 1], DAYS[(days % 7) as usize]);
    let mut text = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        text += &match letters.next() {
            Some('Y') => year.to_string(),
            Some('y') => format!("{:02}", year % 100),
            Some('m') => format!("{month:02}"),
            Some('B') => month_name.to_owned(),
            Some('b') => month_name[..3].to_owned(),
            Some('d') => format!("{day:02}"),
            Some('A') => day_name.to_owned(),
            Some('a') => day_name[..3].to_owned(),
            Some('H') => format!("{:02}", second / 3600),
            Some('M') => format!("{:02}", second / 60 % 60),
            Some('S') => format!("{:02}", second % 60),
            Some('%') => "%".to_owned(),
            other => return Err(other.unwrap_or('%')),
        };
    }
    Ok(text)
}

/// Year, month and day of the month, both from 1, so many days after the epoch.
fn date(mut days: u64) -> (u64, usize, u64) {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    // Every 400 years have the same number of days.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    loop {
        let length = 365 + u64::from(is_leap(year));
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn write(seconds: u64, format: &str) -> Result<String, char> {
        strftime(UNIX_EPOCH + Duration::from_secs(seconds), format)
    }

    #[test]
    fn dates_are_as_python_writes_them() {
        let all = "%A %a %d %B %b %m %Y %y %H:%M:%S 100%%";
        for (seconds, expected) in [
            (0, "Thursday Thu 01 January Jan 01 1970 70 00:00:00 100%"),
            (
                951_827_696,
                "Tuesday Tue 29 February Feb 02 2000 00 12:34:56 100%",
            ),
            (
                4_107_542_399,
                "Sunday Sun 28 February Feb 02 2100 00 23:59:59 100%",
            ),
            (
                1_735_689_599,
                "Tuesday Tue 31 December Dec 12 2024 24 23:59:59 100%",
            ),
        ] {
            assert_eq!(write(seconds, all).as_deref(), Ok(expected));
        }
        assert_eq!(write(0, "%Q"), Err('Q'));
        assert_eq!(write(0, "%"), Err('%'));
    }
}
