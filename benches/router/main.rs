//! Benchmark of lookups in the router, by shape and number of routes, compared with Kong's engine and a radix tree.
//!
//! `cargo bench --bench router` prints nanoseconds per lookup, then the same as ratios: only ratios can be compared
//! between machines. `-- quick` leaves out slow cases; all other arguments are names of the shapes to run.
#![expect(clippy::print_stdout, reason = "the benchmark prints a table")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot continue has failed")]

mod shapes;

use std::{
    alloc::System,
    cell::RefCell,
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use atc_router::{ast, context::Context, schema::Schema};
use mynah::router::{Router, RouterOptions};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use shapes::{LookupRequest, SHAPES, Shape, Workload};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

/// Number of random requests: enough that large tables do not stay in the processor cache.
const REQUESTS: usize = 8192;

/// Number of rounds; the result is their median.
const ROUNDS: usize = 7;

const ROUND: Duration = Duration::from_millis(60);

const BATCH: u32 = 64;

/// Cost of one router: nanoseconds per lookup, time and memory of its construction.
#[derive(Clone, Copy, Default)]
struct Cost {
    hit: f64,
    miss: f64,
    build: Duration,
    bytes: isize,
}

fn main() {
    let (options, wanted): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument == "quick" || argument.starts_with('-'));
    let quick = options.iter().any(|option| option == "quick");
    println!("{:30} {:>7} {:>9} {:>9} {:>10} {:>10}", "", "routes", "hit ns", "miss ns", "build ms", "MiB");
    let mut all = BTreeMap::new();
    for shape in
        SHAPES.into_iter().filter(|shape| wanted.is_empty() || wanted.iter().any(|name| name == shape.name()))
    {
        let workloads = SIZES.map(|size| Workload::new(shape, size, REQUESTS));
        let mut costs = vec![("mynah", mynah(&workloads))];
        if shape == Shape::Prefix {
            costs.push(("matchit", workloads.iter().map(matchit).collect()));
        }
        if shape.is_comparable() {
            // At 100,000 routes a lookup takes tens of milliseconds.
            let most = if quick { 1_000 } else { 10_000 };
            costs.push((
                "atc-router",
                workloads.iter().filter(|workload| workload.routes.len() <= most).map(atc).collect(),
            ));
        }
        for (engine, costs) in costs {
            for (size, cost) in SIZES.into_iter().zip(costs) {
                let name = format!("{} {engine}", shape.name());
                let (build, size_in_memory) = (cost.build.as_secs_f64() * 1e3, mebibytes(cost.bytes));
                println!(
                    "{name:30} {size:>7} {:>9.0} {:>9.0} {build:>10.2} {size_in_memory:>10.2}",
                    cost.hit, cost.miss
                );
                all.insert((shape.name(), engine, size), cost);
            }
        }
    }
    ratios(&all);
}

fn ratios(all: &BTreeMap<(&'static str, &'static str, usize), Cost>) {
    let ratio = |shape,
                 (engine, size): (&'static str, usize),
                 (base, base_size): (&'static str, usize),
                 hit: bool| {
        let cost =
            |engine, size| all.get(&(shape, engine, size)).map(|cost| if hit { cost.hit } else { cost.miss });
        match cost(engine, size).zip(cost(base, base_size)) {
            Some((cost, base)) => format!("{:.2}", cost / base),
            None => "-".to_owned(),
        }
    };
    println!("\nratios of one lookup, hit / miss");
    println!(
        "{:30} {:>19} {:>19} {:>21} {:>21}",
        "", "100k : 100 routes", "10k : 100 routes", "atc-router 1k", "atc-router 10k"
    );
    for shape in SHAPES.map(Shape::name) {
        let column = |engine, base| {
            format!("{} / {}", ratio(shape, engine, base, true), ratio(shape, engine, base, false))
        };
        println!(
            "{shape:30} {:>19} {:>19} {:>21} {:>21}",
            column(("mynah", 100_000), ("mynah", 100)),
            column(("mynah", 10_000), ("mynah", 100)),
            column(("atc-router", 1_000), ("mynah", 1_000)),
            column(("atc-router", 10_000), ("mynah", 10_000)),
        );
    }
    for size in SIZES {
        let both =
            [true, false].map(|hit| ratio(Shape::Prefix.name(), ("matchit", size), ("mynah", size), hit));
        println!("matchit : mynah, {size} routes: {}", both.join(" / "));
    }
}

/// The sizes take turns, so that other work on the machine affects all of them alike.
fn mynah(workloads: &[Workload]) -> Vec<Cost> {
    let found = |router: &Router, asked: &LookupRequest| asked.matches(router);
    let routers: Vec<_> = workloads
        .iter()
        .map(|workload| {
            build_measured(|| Router::new(&workload.routes, &|_| true, RouterOptions::default()).0)
        })
        .collect();
    for (workload, (router, _)) in workloads.iter().zip(&routers) {
        assert!(workload.hits.iter().all(|request| found(router, request)));
        assert!(!workload.misses.iter().any(|request| found(router, request)));
    }
    let mut rounds = vec![[(0.0, 0.0); ROUNDS]; workloads.len()];
    for number in 0..ROUNDS {
        for ((workload, (router, _)), rounds) in workloads.iter().zip(&routers).zip(&mut rounds) {
            let round = |asked: &[LookupRequest]| round(asked, &mut 0, |request| found(router, request));
            rounds[number] = (round(&workload.hits), round(&workload.misses));
        }
    }
    let cost = |((_, cost), rounds): ((Router, Cost), [(f64, f64); ROUNDS])| Cost {
        hit: median(rounds.map(|(hit, _)| hit)),
        miss: median(rounds.map(|(_, miss)| miss)),
        ..cost
    };
    routers.into_iter().zip(rounds).map(cost).collect()
}

fn matchit(workload: &Workload) -> Cost {
    let (router, cost) = build_measured(|| {
        let mut router = matchit::Router::new();
        for (number, route) in workload.routes.iter().enumerate() {
            router.insert(format!("{}/{{*rest}}", route.paths[0]), number).unwrap();
        }
        router
    });
    let found = |asked: &LookupRequest| router.at(&asked.path).is_ok();
    Cost { hit: time(&workload.hits, found), miss: time(&workload.misses, found), ..cost }
}

/// The contexts are made before the measurement, which Kong cannot do.
fn atc(workload: &Workload) -> Cost {
    let mut schema = Schema::default();
    for field in ["http.host", "http.path", "http.method"] {
        schema.add_field(field, ast::Type::String);
    }
    let (router, cost) = build_measured(|| {
        let mut router = atc_router::router::Router::new(&schema);
        for (number, route) in workload.routes.iter().enumerate() {
            router.add_matcher(number, route.id, &shapes::expression(route)).unwrap();
        }
        router
    });
    let measure = |all: &[LookupRequest]| {
        let contexts: Vec<_> =
            all.iter().take(256).map(|request| RefCell::new(context(&schema, request))).collect();
        time(&contexts, |context| router.execute(&mut context.borrow_mut()))
    };
    Cost { hit: measure(&workload.hits), miss: measure(&workload.misses), ..cost }
}

fn context<'a>(schema: &'a Schema, asked: &LookupRequest) -> Context<'a> {
    let mut context = Context::new(schema);
    for (field, text) in
        [("http.host", &*asked.host), ("http.path", &asked.path), ("http.method", asked.method)]
    {
        context.add_value(field, ast::Value::String(text.to_owned()));
    }
    context
}

#[expect(clippy::cast_precision_loss, reason = "the sizes are far below petabytes")]
fn mebibytes(bytes: isize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Builds a router; also returns the time and the allocated bytes.
fn build_measured<T>(make: impl FnOnce() -> T) -> (T, Cost) {
    let (region, start) = (Region::new(ALLOCATOR), Instant::now());
    let kept = make();
    let build = start.elapsed();
    let change = region.change();
    let bytes = change.bytes_allocated.cast_signed() - change.bytes_deallocated.cast_signed();
    (kept, Cost { build, bytes, ..Cost::default() })
}

fn time<T>(all: &[T], mut ask: impl FnMut(&T) -> bool) -> f64 {
    let mut next = 0;
    median([(); ROUNDS].map(|()| round(all, &mut next, &mut ask)))
}

/// Nanoseconds for each, in one round from `next` on.
fn round<T>(all: &[T], next: &mut usize, mut ask: impl FnMut(&T) -> bool) -> f64 {
    let (start, mut asked) = (Instant::now(), 0_u32);
    while start.elapsed() < ROUND {
        // The clock is read once per batch, so that reading it does not count.
        for _ in 0..BATCH {
            black_box(ask(black_box(&all[*next])));
            *next = (*next + 1) % all.len();
        }
        asked += BATCH;
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(asked)
}

fn median(mut rounds: [f64; ROUNDS]) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
