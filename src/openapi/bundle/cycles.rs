//! Removal of reference cycles in which schemas apply themselves to the same value, so that a validator terminates.

use serde_json::Value as Json;

/// Replaces the schemas of cycles by `true`. `edges` has, for each schema, the schemas that it applies to the same
/// value.
pub(super) fn remove_cycles(schemas: &mut [Json], edges: &[Vec<usize>]) {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for to in targets {
            users[*to].push(from);
        }
    }
    // Schemas without references cannot lead into a cycle, and schemas without users cannot come from one. The rest is
    // cycles, and schemas on a path between two of them.
    let leading = remove_leaves(edges, &users, &vec![true; edges.len()]);
    let cyclic = remove_leaves(&users, edges, &leading);
    for (schema, is_cyclic) in schemas.iter_mut().zip(cyclic) {
        if is_cyclic {
            *schema = Json::Bool(true);
        }
    }
}

/// The schemas of `selected` that remain when those without targets are removed repeatedly.
fn remove_leaves(targets: &[Vec<usize>], users: &[Vec<usize>], selected: &[bool]) -> Vec<bool> {
    let mut counts: Vec<usize> =
        targets.iter().map(|all| all.iter().filter(|target| selected[**target]).count()).collect();
    let mut remaining = selected.to_vec();
    let mut done: Vec<usize> = (0..counts.len()).filter(|n| selected[*n] && counts[*n] == 0).collect();
    while let Some(n) = done.pop() {
        remaining[n] = false;
        for user in users[n].iter().filter(|user| selected[**user]) {
            counts[*user] -= 1;
            if counts[*user] == 0 {
                done.push(*user);
            }
        }
    }
    remaining
}
