//! Ranks of routes: the key that decides between all routes that match a request.

use std::cmp::Reverse;

use uuid::Uuid;

use super::hosts::HostPattern;
use super::options::PriorityCalculation;
use crate::entity::Route;

/// The kind of the paths of a route entry; entries of different kinds have different ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathKind {
    /// The route has no paths.
    Absent,
    /// Prefixes of this many bytes.
    Prefix(usize),
    /// Regular expressions.
    Regex,
}

impl PathKind {
    const fn is_regex(self) -> bool {
        matches!(self, Self::Regex)
    }

    const fn prefix_length(self) -> u64 {
        if let Self::Prefix(length) = self { length as u64 } else { 0 }
    }
}

/// The rank of a route entry; the greatest one that matches takes precedence. All keys of a Router have the same flavor,
/// except for expressions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriorityKey {
    /// Flavor `traditional_compatible`.
    Compatible {
        /// The number by which Kong's router engine sorts.
        priority: u64,
        /// The id of the Route, or one derived from it for a Route with paths of several lengths.
        id: Uuid,
    },
    /// Flavor `traditional`.
    Traditional {
        /// The number of kinds of criteria.
        weight: u32,
        /// The kinds: 64 hosts, 32 headers, 16 paths, 8 methods, 4 SNIs, 2 sources, 1 destinations.
        category: u8,
        /// 4: a host has a wildcard and a port; 2: no host has a wildcard; 1: the path is a regular expression.
        details: u8,
        /// The number of header names.
        headers: usize,
        /// The route's `regex_priority`; 0 unless the path is a regular expression.
        regex_priority: i64,
        /// The length of the prefix in bytes.
        prefix_length: u64,
        /// Whether a host without a wildcard has a port.
        names_port: bool,
        /// The Route's `created_at` in Unix seconds; the older one takes precedence. A Route without it is the youngest,
        /// since Kong sets it to the time of the load.
        created_at: Reverse<i64>,
    },
    /// A Route that is an expression, in the flavor `expressions`: above all others.
    Expression {
        /// The number by which Kong's router engine sorts: eight bits set, then the Route's `priority`.
        priority: u64,
        /// The id of the Route.
        id: Uuid,
    },
}

impl PriorityKey {
    /// The key in the flavor `traditional_compatible`.
    pub(super) fn compatible(
        route: &Route,
        kind: PathKind,
        id: Uuid,
        calculation: PriorityCalculation,
    ) -> Self {
        Self::Compatible { priority: priority(route, kind, calculation), id }
    }

    /// The key of a route that is an expression.
    pub(super) fn expression(route: &Route) -> Self {
        Self::Expression { priority: 0xFF << 56 | route.priority, id: route.id }
    }

    /// The key in the flavor `traditional`. SNIs do not count over plain http.
    pub(super) fn traditional(route: &Route, kind: PathKind, sni_counts: bool) -> Self {
        let category = if sni_counts { criteria(route) } else { criteria(route) & !SNIS };
        let names_port = |wildcard: bool| {
            let mut hosts = route.hosts.iter().map(|host| HostPattern::parse(host));
            hosts.any(|host| host.port.is_some() && host.name.is_wildcard() == wildcard)
        };
        Self::Traditional {
            weight: category.count_ones(),
            category,
            details: u8::from(names_port(true)) << 2
                | u8::from(has_plain_hosts_only(route)) << 1
                | u8::from(kind.is_regex()),
            headers: route.headers.len(),
            regex_priority: if kind.is_regex() { route.regex_priority } else { 0 },
            prefix_length: kind.prefix_length(),
            names_port: names_port(false),
            created_at: Reverse(route.created_at.unwrap_or(i64::MAX)),
        }
    }
}

/// The number that ranks a route entry in the flavor `traditional_compatible`.
///
/// The documented layout, from the highest bit: 3 bits number of criteria, 1 bit plain hosts only, 8 bits number
/// of header names, 1 bit regular expression, 32 bits `regex_priority`, 19 bits length of the prefix. Kong 3.0 and
/// later shift the first, the third and the fifth of these by 32 bits too little, and then extend the sign.
/// A negative `regex_priority` counts as 0 in the documented layout, which has no place for a sign.
pub(super) fn priority(route: &Route, kind: PathKind, calculation: PriorityCalculation) -> u64 {
    let weight = u64::from(criteria(route).count_ones());
    let headers = route.headers.len().min(255) as u64;
    let regex_priority = if kind.is_regex() { route.regex_priority } else { 0 };
    let length = kind.prefix_length() & 0x7_FFFF;
    let flags = u64::from(has_plain_hosts_only(route)) << 60 | u64::from(kind.is_regex()) << 51;
    match calculation {
        PriorityCalculation::Strict => {
            let regex_priority = u64::from(u32::try_from(regex_priority.max(0)).unwrap_or(u32::MAX));
            flags | weight << 61 | headers << 52 | regex_priority << 19 | length
        }
        PriorityCalculation::Original => {
            let low = weight << 29 | headers << 20 | regex_priority.cast_unsigned() << 19 | length;
            flags | sign_extended(low)
        }
    }
}

/// The lower 32 bits as a signed number.
const fn sign_extended(number: u64) -> u64 {
    const UPPER: u64 = 0xFFFF_FFFF_0000_0000;
    if number & (1 << 31) == 0 { number & !UPPER } else { number | UPPER }
}

const SNIS: u8 = 4;

/// The kinds of criteria of a route, one bit each; routes with more kinds rank higher.
fn criteria(route: &Route) -> u8 {
    [
        (!route.hosts.is_empty(), 64),
        (!route.headers.is_empty(), 32),
        (!route.paths.is_empty(), 16),
        (!route.methods.is_empty(), 8),
        (!route.snis.is_empty(), SNIS),
        (!route.sources.is_empty(), 2),
        (!route.destinations.is_empty(), 1),
    ]
    .into_iter()
    .filter_map(|(present, bit)| present.then_some(bit))
    .sum()
}

fn has_plain_hosts_only(route: &Route) -> bool {
    !route.hosts.is_empty() && route.hosts.iter().all(|host| !host.contains('*'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::router::fixture::{recorded, route};

    #[track_caller]
    fn check(criteria: &Value, kind: PathKind, strict: u64, original: u64) {
        let route = route(criteria);
        assert_eq!(
            format!("{:#x}", priority(&route, kind, PriorityCalculation::Strict)),
            format!("{strict:#x}")
        );
        assert_eq!(
            format!("{:#x}", priority(&route, kind, PriorityCalculation::Original)),
            format!("{original:#x}")
        );
    }

    #[test]
    fn the_number_has_fields_that_overlap_in_kong() {
        use PathKind::{Absent, Prefix, Regex};
        let (hosts, wildcard) = (["a.test"], ["*.test"]);
        let (methods, paths, regex) = (["GET"], ["/orders"], ["~/o.*"]);
        let (one, two) = (json!({"a": ["1"]}), json!({"a": ["1"], "b": ["1"]}));
        check(
            &json!({"hosts": hosts, "methods": methods, "headers": two, "snis": hosts, "paths": paths}),
            Prefix(7),
            0xb020_0000_0000_0007,
            0xffff_ffff_a020_0007,
        );
        check(
            &json!({"hosts": hosts, "methods": methods, "headers": one, "paths": regex, "regex_priority": 3}),
            Regex,
            0x9018_0000_0018_0000,
            0xffff_ffff_8018_0000,
        );
        check(
            &json!({"hosts": wildcard, "methods": methods, "headers": one, "paths": paths}),
            Prefix(7),
            0x8010_0000_0000_0007,
            0xffff_ffff_8010_0007,
        );
        check(
            &json!({"hosts": hosts, "methods": methods, "paths": paths}),
            Prefix(7),
            0x7000_0000_0000_0007,
            0x1000_0000_6000_0007,
        );
        check(
            &json!({"methods": methods, "headers": one, "paths": regex}),
            Regex,
            0x6018_0000_0000_0000,
            0x0008_0000_6010_0000,
        );
        check(&json!({"hosts": hosts}), Absent, 0x3000_0000_0000_0000, 0x1000_0000_2000_0000);
        check(&json!({"hosts": wildcard}), Absent, 0x2000_0000_0000_0000, 0x2000_0000);
    }

    #[test]
    fn the_numbers_equal_those_of_kong() {
        let mut compared = 0;
        for case in recorded("cases").iter().filter(|case| case["subsystem"] == "http") {
            // In Kong an empty list of hosts counts as "plain hosts only"; an entity does not distinguish it from no list.
            if case["id"] == "combo-087" {
                continue;
            }
            for derived in case["derived"].as_array().unwrap() {
                let Some(strict) = derived["compat_strict"].as_str() else { continue };
                let (name, paths) = derived["route"].as_str().unwrap().split_once('|').unzip();
                let name = name.unwrap_or_else(|| derived["route"].as_str().unwrap());
                let kind = match paths {
                    None => PathKind::Absent,
                    Some(paths) if paths.starts_with('~') => PathKind::Regex,
                    Some(paths) => PathKind::Prefix(paths.split(',').next().unwrap().len()),
                };
                let routes = case["routes"].as_array().unwrap();
                let route = route(routes.iter().find(|route| route["name"] == name).unwrap());
                let actual = [PriorityCalculation::Strict, PriorityCalculation::Original]
                    .map(|calculation| priority(&route, kind, calculation));
                let original = derived["compat_original"].as_str().unwrap();
                assert_eq!(
                    actual.map(|number| number.to_string()),
                    [strict, original],
                    "{} {derived}",
                    case["id"]
                );
                compared += 1;
            }
        }
        assert!(compared > 150, "only {compared} numbers were compared");
    }

    #[test]
    fn traditional_ranks_by_kinds_of_criteria_then_by_age() {
        let keys: Vec<_> = [
            (json!({"hosts": ["a.test"], "paths": ["/a"]}), PathKind::Prefix(2)),
            (json!({"methods": ["GET"], "paths": ["/a/long/one"]}), PathKind::Prefix(11)),
            (json!({"hosts": ["*.test:80"]}), PathKind::Absent),
            (json!({"hosts": ["a.test:80"]}), PathKind::Absent),
            (json!({"hosts": ["a.test"]}), PathKind::Absent),
            (json!({"headers": {"a": ["1"], "b": ["1"]}}), PathKind::Absent),
            (json!({"headers": {"a": ["1"]}}), PathKind::Absent),
            (json!({"paths": ["~/a"], "regex_priority": 1}), PathKind::Regex),
            (json!({"paths": ["~/a"]}), PathKind::Regex),
            (json!({"paths": ["/a/b"], "regex_priority": 9}), PathKind::Prefix(4)),
            (json!({"paths": ["/a"], "created_at": 1}), PathKind::Prefix(2)),
            (json!({"paths": ["/a"], "created_at": 2}), PathKind::Prefix(2)),
            (json!({"paths": ["/a"]}), PathKind::Prefix(2)),
        ]
        .iter()
        .map(|(criteria, kind)| PriorityKey::traditional(&route(criteria), *kind, true))
        .collect();
        assert!(keys.is_sorted_by(|a, b| a > b), "{keys:#?}");
    }
}
