//! What an expression reads: every selector with the labels that it names, and what is done with it.

use std::time::Duration;

use promql_parser::parser::{Expr, LabelModifier, VectorSelector, parse};
use wa_watchdog::metrics::{Declared, Kind, catalogue};

/// One selector in an expression.
#[derive(Debug)]
pub(crate) struct Selector {
    /// The name of the series.
    pub(crate) series: String,
    /// Its matchers, as label, operator and value.
    pub(crate) matchers: Vec<(String, String, String)>,
    /// The range, where it has one.
    pub(crate) range: Option<Duration>,
    /// The function right around it.
    pub(crate) function: Option<String>,
}

/// All that an expression names.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// Every selector, from left to right.
    pub(crate) selectors: Vec<Selector>,
    /// Every label of `by`, `without`, `on`, `ignoring` and `group_left`.
    pub(crate) labels: Vec<String>,
}

/// Reads an expression. The error says what is wrong with it.
pub(crate) fn read(expr: &str) -> Result<Reading, String> {
    let mut reading = Reading::default();
    reading.take(&parse(expr)?, None);
    Ok(reading)
}

/// Returns the metric of this program that a series belongs to: a histogram has three kinds of them.
pub(crate) fn declared(series: &str) -> Option<&'static Declared> {
    let parts = ["_bucket", "_sum", "_count"];
    catalogue().iter().find(|metric| match metric.kind {
        Kind::Counter | Kind::Gauge => metric.name == series,
        Kind::Histogram => series.strip_prefix(metric.name).is_some_and(|part| parts.contains(&part)),
    })
}

impl Selector {
    /// Returns operator and value of the matchers of a label.
    pub(crate) fn matchers_of<'a>(&'a self, label: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let named = self.matchers.iter().filter(move |(name, ..)| name == label);
        named.map(|(_, operator, value)| (operator.as_str(), value.as_str()))
    }
}

impl Reading {
    fn take(&mut self, expr: &Expr, function: Option<&str>) {
        match expr {
            Expr::VectorSelector(selector) => self.select(selector, None, function),
            Expr::MatrixSelector(matrix) => self.select(&matrix.vs, Some(matrix.range), function),
            Expr::Call(call) => call.args.args.iter().for_each(|arg| self.take(arg, Some(call.func.name))),
            Expr::Aggregate(aggregate) => {
                self.name(aggregate.modifier.as_ref());
                aggregate.param.iter().for_each(|param| self.take(param, None));
                self.take(&aggregate.expr, None);
            }
            Expr::Binary(binary) => {
                let modifier = binary.modifier.as_ref();
                self.name(modifier.and_then(|modifier| modifier.matching.as_ref()));
                let taken_over = modifier.and_then(|modifier| modifier.card.labels());
                self.labels.extend(taken_over.into_iter().flat_map(|labels| labels.labels.clone()));
                self.take(&binary.lhs, None);
                self.take(&binary.rhs, None);
            }
            Expr::Paren(paren) => self.take(&paren.expr, function),
            Expr::Unary(unary) => self.take(&unary.expr, None),
            Expr::Subquery(subquery) => self.take(&subquery.expr, None),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) => {}
            Expr::Extension(_) => unreachable!("the parser makes none"),
        }
    }

    fn select(&mut self, selector: &VectorSelector, range: Option<Duration>, function: Option<&str>) {
        let matchers = &selector.matchers.matchers;
        let text = |operator: &dyn std::fmt::Debug| match format!("{operator:?}") {
            equal if equal == "Equal" => "=",
            unequal if unequal == "NotEqual" => "!=",
            regex if regex.starts_with("Re(") => "=~",
            _ => "!~",
        };
        self.selectors.push(Selector {
            series: selector.name.clone().unwrap_or_default(),
            matchers: matchers.iter().map(|m| (m.name.clone(), text(&m.op).to_owned(), m.value.clone())).collect(),
            range,
            function: function.map(str::to_owned),
        });
    }

    fn name(&mut self, modifier: Option<&LabelModifier>) {
        self.labels.extend(modifier.into_iter().flat_map(|modifier| modifier.labels().labels.clone()));
    }
}
