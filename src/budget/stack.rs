//! Limit of the stack that a recursion takes, so that no document overflows the stack.

use std::hint::black_box;

/// Stack that a recursion may take, in bytes: half of the stack of the threads of the runtime and of tests.
const DEFAULT_LIMIT: usize = 1 << 20;

/// Address on the stack at which a recursion began, and the limit of its stack in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    start: usize,
    limit: usize,
}

impl Stack {
    /// A recursion that begins here, on a thread with at least 2 MiB of stack.
    #[must_use]
    pub fn here() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }

    /// A recursion that begins here and may take `limit` bytes.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { start: address(), limit }
    }

    /// Whether the recursion may go one level deeper.
    #[must_use]
    pub fn has_room(self) -> bool {
        self.start.abs_diff(address()) < self.limit
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
    fn a_recursion_ends_before_the_stack_overflows() {
        let deepest = |bytes| {
            let run = move || depth(Stack::with_limit(bytes), [0; 64]);
            std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap()
        };
        let (shallow, deep) = (deepest(32 << 10), deepest(128 << 10));
        assert!(shallow > 10 && deep > 2 * shallow, "{shallow} {deep}");
    }
}
