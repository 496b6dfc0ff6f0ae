//! Writer of the text format of Prometheus. (Prometheus: "Exposition formats", text format 0.0.4.)

use std::fmt::{Display, Write as _};

use super::{HistogramSum, MetricDefinition};

/// A text of metrics.
#[derive(Clone, Debug, Default)]
pub struct MetricsText(String);

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only grows.
    Counter,
    /// A number that rises and falls.
    Gauge,
    /// Observations counted in buckets.
    Histogram,
}

impl MetricsText {
    /// Writes the header of a metric; all its samples follow.
    pub fn begin(&mut self, metric: &MetricDefinition) {
        let MetricDefinition { name, kind, help } = metric;
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        // Writing into memory cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes one sample.
    pub fn sample(&mut self, metric: &MetricDefinition, labels: &[(&str, &str)], value: impl Display) {
        self.write_sample(metric.name, labels, value);
    }

    /// Writes a metric with one sample, without labels.
    pub fn single(&mut self, metric: &MetricDefinition, value: impl Display) {
        self.begin(metric);
        self.sample(metric, &[], value);
    }

    /// Writes the samples of a histogram, in milliseconds.
    pub fn histogram(&mut self, metric: &MetricDefinition, labels: &[(&str, &str)], observed: &HistogramSum) {
        let name = metric.name;
        let bucket = format!("{name}_bucket");
        let mut write_bucket = |bound: &str, count: u64| {
            let mut all = labels.to_vec();
            all.push(("le", bound));
            self.write_sample(&bucket, &all, count);
        };
        for (bound, within) in observed.bounds.iter().zip(&observed.within) {
            write_bucket(&bound.to_string(), *within);
        }
        write_bucket("+Inf", observed.count);
        self.write_sample(&format!("{name}_count"), labels, observed.count);
        self.write_sample(&format!("{name}_sum"), labels, observed.sum_in_milliseconds());
    }

    fn write_sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (n, (label, value)) in labels.iter().enumerate() {
            self.0.push(if n == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            self.write_escaped(value);
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        // Writing into memory cannot fail.
        let _ = writeln!(self.0, " {value}");
    }

    fn write_escaped(&mut self, value: &str) {
        for letter in value.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                letter => self.0.push(letter),
            }
        }
    }

    /// The whole text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_text_of_the_specification() {
        let mut text = MetricsText::default();
        let up = MetricDefinition { name: "up", kind: MetricKind::Gauge, help: "Whether it is up" };
        let bytes = MetricDefinition { name: "bytes", kind: MetricKind::Counter, help: "Bytes" };
        let took = MetricDefinition { name: "took", kind: MetricKind::Histogram, help: "Times" };
        text.single(&up, 1);
        text.begin(&bytes);
        text.sample(&bytes, &[("to", "a\\b \"c\"\nd é"), ("from", "")], 12.5);
        text.begin(&took);
        let observed = HistogramSum { bounds: &[1, 25], within: vec![2, 3], count: 4, sum: 61_500 };
        text.histogram(&took, &[("route", "r")], &observed);
        assert_eq!(
            text.into_text(),
            r#"# HELP up Whether it is up
# TYPE up gauge
up 1
# HELP bytes Bytes
# TYPE bytes counter
bytes{to="a\\b \"c\"\nd é",from=""} 12.5
# HELP took Times
# TYPE took histogram
took_bucket{route="r",le="1"} 2
took_bucket{route="r",le="25"} 3
took_bucket{route="r",le="+Inf"} 4
took_count{route="r"} 4
took_sum{route="r"} 61.5
"#
        );
    }
}
