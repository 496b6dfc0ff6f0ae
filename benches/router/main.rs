//! What a lookup costs: by shape and number of routes, beside Kong's engine and a radix tree, from one run.
//!
//! `cargo bench --bench router` prints nanoseconds per lookup, then the same as ratios: only these mean anything
//! on another machine. `-- quick` leaves out what takes long; any other words are shapes, the only ones then.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::unwrap_used, reason = "here whatever cannot go on has failed")]

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

use shapes::{Asked, Drawn, SHAPES, Shape};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

/// Lookups are drawn at random, so that tables larger than the cache show.
const REQUESTS: usize = 8192;

/// Of so many rounds the median counts.
const ROUNDS: usize = 7;

const ROUND: Duration = Duration::from_millis(60);

const SOME: u32 = 64;

/// What one router needed.
#[derive(Clone, Copy, Default)]
struct Cost {
    hit: f64,
    miss: f64,
    build: Duration,
    bytes: isize,
}

fn main() {
    let (options, wanted): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|it| it == "quick" || it.starts_with('-'));
    let quick = options.iter().any(|it| it == "quick");
    println!("{:30} {:>7} {:>9} {:>9} {:>10} {:>10}", "", "routes", "hit ns", "miss ns", "build ms", "MiB");
    let mut all = BTreeMap::new();
    for shape in
        SHAPES.into_iter().filter(|it| wanted.is_empty() || wanted.iter().any(|name| name == it.name()))
    {
        let drawn = SIZES.map(|size| Drawn::new(shape, size, REQUESTS));
        let mut costs = vec![("mynah", mynah(&drawn))];
        if shape == Shape::Prefix {
            costs.push(("matchit", drawn.iter().map(matchit).collect()));
        }
        if shape.is_comparable() {
            // At 100,000 routes it needs tens of milliseconds for each lookup.
            let most = if quick { 1_000 } else { 10_000 };
            costs.push(("atc-router", drawn.iter().filter(|it| it.routes.len() <= most).map(atc).collect()));
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
            |engine, size| all.get(&(shape, engine, size)).map(|it| if hit { it.hit } else { it.miss });
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

/// The sizes take turns, so that what else the machine does meanwhile falls upon all of them.
fn mynah(drawn: &[Drawn]) -> Vec<Cost> {
    let found = |router: &Router, asked: &Asked| asked.ask(router);
    let built: Vec<_> = drawn
        .iter()
        .map(|drawn| built(|| Router::new(&drawn.routes, &|_| true, RouterOptions::default()).0))
        .collect();
    for (drawn, (router, _)) in drawn.iter().zip(&built) {
        assert!(drawn.hits.iter().all(|it| found(router, it)));
        assert!(!drawn.misses.iter().any(|it| found(router, it)));
    }
    let mut rounds = vec![[(0.0, 0.0); ROUNDS]; drawn.len()];
    for number in 0..ROUNDS {
        for ((drawn, (router, _)), rounds) in drawn.iter().zip(&built).zip(&mut rounds) {
            let round = |asked: &[Asked]| round(asked, &mut 0, |it| found(router, it));
            rounds[number] = (round(&drawn.hits), round(&drawn.misses));
        }
    }
    let cost = |((_, cost), rounds): ((Router, Cost), [(f64, f64); ROUNDS])| Cost {
        hit: median(rounds.map(|(hit, _)| hit)),
        miss: median(rounds.map(|(_, miss)| miss)),
        ..cost
    };
    built.into_iter().zip(rounds).map(cost).collect()
}

fn matchit(drawn: &Drawn) -> Cost {
    let (router, cost) = built(|| {
        let mut router = matchit::Router::new();
        for (number, route) in drawn.routes.iter().enumerate() {
            router.insert(format!("{}/{{*rest}}", route.paths[0]), number).unwrap();
        }
        router
    });
    let found = |asked: &Asked| router.at(&asked.path).is_ok();
    Cost { hit: time(&drawn.hits, found), miss: time(&drawn.misses, found), ..cost }
}

/// The contexts are made before the clock runs, which Kong cannot do.
fn atc(drawn: &Drawn) -> Cost {
    let mut schema = Schema::default();
    for field in ["http.host", "http.path", "http.method"] {
        schema.add_field(field, ast::Type::String);
    }
    let (router, cost) = built(|| {
        let mut router = atc_router::router::Router::new(&schema);
        for (number, route) in drawn.routes.iter().enumerate() {
            router.add_matcher(number, route.id, &shapes::expression(route)).unwrap();
        }
        router
    });
    let measure = |all: &[Asked]| {
        let contexts: Vec<_> = all.iter().take(256).map(|it| RefCell::new(context(&schema, it))).collect();
        time(&contexts, |context| router.execute(&mut context.borrow_mut()))
    };
    Cost { hit: measure(&drawn.hits), miss: measure(&drawn.misses), ..cost }
}

fn context<'a>(schema: &'a Schema, asked: &Asked) -> Context<'a> {
    let mut context = Context::new(schema);
    for (field, text) in
        [("http.host", &*asked.host), ("http.path", &asked.path), ("http.method", asked.method)]
    {
        context.add_value(field, ast::Value::String(text.to_owned()));
    }
    context
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts petabytes")]
fn mebibytes(bytes: isize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Makes something, and tells how long that took and how many bytes it kept.
fn built<T>(make: impl FnOnce() -> T) -> (T, Cost) {
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
        // The clock is read once for some lookups, or what it costs would count.
        for _ in 0..SOME {
            black_box(ask(black_box(&all[*next])));
            *next = (*next + 1) % all.len();
        }
        asked += SOME;
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(asked)
}

fn median(mut rounds: [f64; ROUNDS]) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
