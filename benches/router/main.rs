//! What a lookup costs: by shape and number of routes, beside Kong's engine and a radix tree, from one run.
//!
//! `cargo bench --bench router` prints nanoseconds per lookup, then the same as ratios: only these mean anything
//! on another machine. `-- quick` leaves out what takes long; any other words are shapes, the only ones then.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::unwrap_used, reason = "here whatever cannot go on has failed")]

mod shapes;

use std::{
    alloc::System,
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use atc_router::{ast, context::Context, schema::Schema};
use mynah::router::{Options, Router};
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
        for size in SIZES {
            let drawn = Drawn::new(shape, size, REQUESTS);
            let mut say = |engine: &'static str, cost: Cost| {
                let name = format!("{} {engine}", shape.name());
                let (build, size_in_memory) = (cost.build.as_secs_f64() * 1e3, mebibytes(cost.bytes));
                println!(
                    "{name:30} {size:>7} {:>9.0} {:>9.0} {build:>10.2} {size_in_memory:>10.2}",
                    cost.hit, cost.miss
                );
                all.insert((shape.name(), engine, size), cost);
            };
            say("mynah", mynah(&drawn));
            if shape == Shape::Prefix {
                say("matchit", matchit(&drawn));
            }
            // At 100,000 routes it needs tens of milliseconds for each lookup.
            if size <= if quick { 1_000 } else { 10_000 } && shape.is_comparable() {
                say("atc-router", atc(&drawn));
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

fn mynah(drawn: &Drawn) -> Cost {
    let (router, cost) = built(|| Router::new(&drawn.routes, &|_| true, Options::default()).0);
    let found = |asked: &Asked| asked.ask(&router);
    assert!(drawn.hits.iter().all(found) && !drawn.misses.iter().any(found));
    Cost { hit: time(&drawn.hits, found), miss: time(&drawn.misses, found), ..cost }
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
        let mut contexts: Vec<_> = all.iter().take(256).map(|it| context(&schema, it)).collect();
        time_mut(&mut contexts, |context| router.execute(context))
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
    let mut all: Vec<&T> = all.iter().collect();
    time_mut(&mut all, |it| ask(it))
}

/// Nanoseconds for each: the median of some rounds.
fn time_mut<T>(all: &mut [T], mut ask: impl FnMut(&mut T) -> bool) -> f64 {
    // Regular expressions are compiled when they are first used.
    let start = Instant::now();
    for it in all.iter_mut() {
        black_box(ask(black_box(it)));
        if start.elapsed() > Duration::from_secs(1) {
            break;
        }
    }
    let mut rounds = [0.0; ROUNDS];
    let mut next = 0;
    for round in &mut rounds {
        let (start, mut asked) = (Instant::now(), 0_u32);
        while start.elapsed() < ROUND {
            // The clock is read once for some lookups, or what it costs would count.
            for _ in 0..SOME {
                black_box(ask(black_box(&mut all[next])));
                next = (next + 1) % all.len();
            }
            asked += SOME;
        }
        *round = start.elapsed().as_secs_f64() * 1e9 / f64::from(asked);
    }
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
