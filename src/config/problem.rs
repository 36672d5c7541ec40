//! What is wrong with a configuration, all of it.

use std::fmt;

use super::Problem;
use super::node::Place;

/// Most problems that are told in full; the rest is counted. A fleet of thousands can be wrong in one way.
const PROBLEMS_MAX: usize = 200;

/// Collects what is wrong and what looks odd. Nothing stops at the first problem.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Problems,
    warnings: Problems,
}

#[derive(Debug, Default)]
struct Problems {
    told: Vec<Problem>,
    left_out: usize,
}

impl Report {
    /// Notes what makes the configuration unusable.
    pub(super) fn refuse(&mut self, at: &Place, key: &str, what: impl Into<String>, hint: impl Into<String>) {
        self.problems.add(at.problem(key, what, hint));
    }

    /// Notes what can be meant, and rarely is.
    pub(super) fn warn(&mut self, at: &Place, key: &str, what: impl Into<String>, hint: impl Into<String>) {
        self.warnings.add(at.problem(key, what, hint));
    }

    /// Notes a problem that was found elsewhere.
    pub(super) fn pass_on(&mut self, problem: Problem) {
        self.problems.add(problem);
    }

    /// Forgets what was noted of a key: it is told of another one.
    pub(super) fn forget(&mut self, key: &str) {
        for problems in [&mut self.problems, &mut self.warnings] {
            problems.told.retain(|problem| problem.key != key);
        }
    }

    /// Returns what was made together with the warnings; or every problem, in the order of their lines.
    pub(super) fn finish<T>(self, made: T) -> Result<(T, Vec<Problem>), Vec<Problem>> {
        if self.problems.told.is_empty() { Ok((made, self.warnings.finish())) } else { Err(self.into_problems()) }
    }

    /// Returns every problem, in the order of their lines.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.finish()
    }
}

impl Problems {
    fn add(&mut self, problem: Problem) {
        if PROBLEMS_MAX <= self.told.len() {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        self.told.push(problem);
    }

    /// Sorts by line; what has none, such as a variable, comes last.
    fn finish(mut self) -> Vec<Problem> {
        self.told.sort_by_cached_key(|problem| {
            let line = problem.line.unwrap_or(usize::MAX);
            (problem.line.is_none(), problem.source.clone(), line)
        });
        if let Some(last) = self.told.last().filter(|_| 0 < self.left_out) {
            let what = format!("and {} more problems", self.left_out);
            let hint = "mend these first".to_owned();
            self.told.push(Problem { source: last.source.clone(), line: None, key: String::new(), what, hint });
        }
        self.told
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)?;
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", self.hint)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_place_and_leaves_out_what_it_does_not_know() {
        let at = Place::file("watchdog.toml", Some(12));
        let problem = at.problem("target.shop.polcy", "unknown key", "did you mean \"policy\"?");
        assert_eq!(
            problem.to_string(),
            "watchdog.toml:12: target.shop.polcy: unknown key\n  hint: did you mean \"policy\"?"
        );
        assert_eq!(Place::file("x", None).problem("", "cannot be read", "").to_string(), "x: cannot be read");
    }

    #[test]
    fn more_problems_than_a_person_reads_are_counted() {
        let mut report = Report::default();
        for line in (1..=PROBLEMS_MAX + 3).rev() {
            report.refuse(&Place::file("f", Some(line)), "key", "is wrong", "");
        }
        let problems = report.into_problems();
        assert_eq!(problems.len(), PROBLEMS_MAX + 1);
        assert!(problems[..PROBLEMS_MAX].is_sorted_by_key(|problem| problem.line));
        assert_eq!(problems[PROBLEMS_MAX].what, "and 3 more problems");
    }
}
