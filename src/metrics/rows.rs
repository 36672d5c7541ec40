//! The series of one metric, in the prometheus crate's model.

use prometheus::proto::{self, LabelPair, Metric, MetricFamily, MetricType};

use crate::engine::snapshot::Histogram;

use super::Kind;

/// The series of one metric while they are read.
#[derive(Debug)]
pub(super) struct Rows {
    kind: Kind,
    labels: &'static [&'static str],
    metrics: Vec<Metric>,
}

impl Rows {
    pub(super) fn new(kind: Kind, labels: &'static [&'static str]) -> Self {
        Self { kind, labels, metrics: Vec::new() }
    }

    /// Adds the value of a gauge or counter; label values stand in the order of the declared labels.
    pub(super) fn put(&mut self, labels: &[&str], value: f64) {
        let mut metric = self.metric(labels);
        match self.kind {
            Kind::Counter => {
                let mut counter = proto::Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            Kind::Gauge | Kind::Histogram => {
                debug_assert!(self.kind == Kind::Gauge, "a histogram has no single value");
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        self.metrics.push(metric);
    }

    /// Adds a count.
    pub(super) fn count(&mut self, labels: &[&str], count: u64) {
        self.put(labels, number(count));
    }

    /// Adds 1 for yes and 0 for no.
    pub(super) fn flag(&mut self, labels: &[&str], holds: bool) {
        self.put(labels, f64::from(u8::from(holds)));
    }

    /// Adds a histogram over the bounds with which it was observed.
    pub(super) fn histogram<const N: usize>(&mut self, labels: &[&str], bounds: &[f64; N], counts: &Histogram<N>) {
        debug_assert!(self.kind == Kind::Histogram, "only a histogram has buckets");
        let buckets = bounds.iter().zip(counts.cumulated()).map(|(bound, count)| {
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(count);
            bucket
        });
        let mut histogram = proto::Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(counts.count());
        histogram.set_sample_sum(counts.sum_seconds());
        let mut metric = self.metric(labels);
        metric.set_histogram(histogram);
        self.metrics.push(metric);
    }

    pub(super) fn into_family(self, name: &str, help: &str) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(match self.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(self.metrics);
        family
    }

    fn metric(&self, values: &[&str]) -> Metric {
        debug_assert_eq!(values.len(), self.labels.len(), "one value for each of {:?}", self.labels);
        let pairs = self.labels.iter().zip(values).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        Metric::from_label(pairs.collect())
    }
}

/// Turns a count into a sample value.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "beyond 2^53 the last digits do not matter")]
fn number(count: u64) -> f64 {
    count as f64
}
