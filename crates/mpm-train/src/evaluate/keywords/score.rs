//! Hits, false alarms, misses, and what they come to.

use std::{fmt, ops::AddAssign};

use serde::{Deserialize, Serialize};

/// Hits, false alarms and misses. Those of several answers are added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeywordScore {
    /// Expected keywords that were named.
    pub hits: usize,
    /// Keywords that were named, but not expected.
    pub false_alarms: usize,
    /// Expected keywords that were not named.
    pub misses: usize,
}

impl KeywordScore {
    /// Part of the named keywords that were expected, `0.0..=1.0`; `None` if none was named.
    pub fn precision(&self) -> Option<f64> {
        ratio(self.hits, self.hits + self.false_alarms)
    }

    /// Part of the expected keywords that were named, `0.0..=1.0`; `None` if none was expected.
    pub fn recall(&self) -> Option<f64> {
        ratio(self.hits, self.hits + self.misses)
    }

    /// F1, `0.0..=1.0`; `None` if none was named and none expected.
    pub fn f1(&self) -> Option<f64> {
        ratio(
            2 * self.hits,
            2 * self.hits + self.false_alarms + self.misses,
        )
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl AddAssign for KeywordScore {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.false_alarms += other.false_alarms;
        self.misses += other.misses;
    }
}

impl fmt::Display for KeywordScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: Option<f64>| 100.0 * part.unwrap_or_default();
        write!(
            f,
            "keywords F1 {:.1} % (precision {:.1} %, recall {:.1} %)",
            percent(self.f1()),
            percent(self.precision()),
            percent(self.recall())
        )
    }
}
