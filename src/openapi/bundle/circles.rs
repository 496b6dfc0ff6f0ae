//! Schemas that apply themselves to the same value again, over however many references: a validator would not end.

use serde_json::Value as Json;

/// A schema that applies itself again to the same value says nothing more by that.
pub(super) fn open(schemas: &mut [Json], edges: &[Vec<usize>]) {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for to in targets {
            users[*to].push(from);
        }
    }
    // What refers to nothing leads into no circle, and what nothing refers to comes from none. The rest is circles,
    // and what lies between two of them.
    let down = peel(edges, &users, &vec![true; edges.len()]);
    let circles = peel(&users, edges, &down);
    for (schema, in_circle) in schemas.iter_mut().zip(circles) {
        if in_circle {
            *schema = Json::Bool(true);
        }
    }
}

/// What remains of the `open` ones when those without targets are taken away again and again.
fn peel(targets: &[Vec<usize>], users: &[Vec<usize>], open: &[bool]) -> Vec<bool> {
    let mut counts: Vec<usize> =
        targets.iter().map(|all| all.iter().filter(|target| open[**target]).count()).collect();
    let mut left = open.to_vec();
    let mut done: Vec<usize> = (0..counts.len()).filter(|n| open[*n] && counts[*n] == 0).collect();
    while let Some(n) = done.pop() {
        left[n] = false;
        for user in users[n].iter().filter(|user| open[**user]) {
            counts[*user] -= 1;
            if counts[*user] == 0 {
                done.push(*user);
            }
        }
    }
    left
}
