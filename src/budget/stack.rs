//! Check of how much stack a recursion has taken, so that no document can overflow it.

use std::hint::black_box;

/// What recursions may take of a thread's stack: half of what the threads of the runtime and of tests have.
const BYTES: usize = 1 << 20;

/// The place on the stack at which a recursion began, and how far it may go from there.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    start: usize,
    bytes: usize,
}

impl Stack {
    /// A recursion that begins here, on a thread with at least 2 MiB of stack.
    #[must_use]
    pub fn here() -> Self {
        Self::of(BYTES)
    }

    /// A recursion that begins here and may take so many bytes.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        Self { start: address(), bytes }
    }

    /// Whether the recursion may go deeper.
    #[must_use]
    pub fn has_room(self) -> bool {
        self.start.abs_diff(address()) < self.bytes
    }
}

/// The address of a local variable of the caller, or of a frame just below it.
#[inline]
fn address() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(black_box(&here)).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(stack: Stack, frame: [u8; 64]) -> u32 {
        if !stack.has_room() {
            return u32::from(black_box(frame)[0]);
        }
        1 + depth(stack, black_box(frame))
    }

    #[test]
    fn a_recursion_ends_before_its_stack_does() {
        let deepest = |bytes| {
            let run = move || depth(Stack::of(bytes), [0; 64]);
            std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap()
        };
        let (less, more) = (deepest(32 << 10), deepest(128 << 10));
        assert!(less > 10 && more > 2 * less, "{less} {more}");
    }
}
