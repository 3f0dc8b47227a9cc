//! Merges sorted streams of postings into one sorted stream, posting by posting, with a heap.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::chunk::Posting;

/// Merges streams that are each in ascending order; stops at the first error.
pub struct Merge<S> {
    heap: BinaryHeap<Reverse<(Posting, usize)>>,
    streams: Vec<S>,
}

impl<S, E> Merge<S>
where
    S: Iterator<Item = Result<Posting, E>>,
{
    /// Reads the first posting of each stream.
    pub fn new(mut streams: Vec<S>) -> Result<Self, E> {
        let mut heap = BinaryHeap::with_capacity(streams.len());
        for (i, stream) in streams.iter_mut().enumerate() {
            if let Some(posting) = stream.next() {
                heap.push(Reverse((posting?, i)));
            }
        }
        Ok(Merge { heap, streams })
    }
}

impl<S, E> Iterator for Merge<S>
where
    S: Iterator<Item = Result<Posting, E>>,
{
    type Item = Result<Posting, E>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut top = self.heap.peek_mut()?;
        let Reverse((posting, i)) = *top;
        match self.streams.get_mut(i).and_then(Iterator::next) {
            Some(Ok(next)) => {
                // the heap is put in order again when `top` is dropped
                *top = Reverse((next, i));
                Some(Ok(posting))
            }
            Some(Err(error)) => Some(Err(error)),
            None => {
                std::collections::binary_heap::PeekMut::pop(top);
                Some(Ok(posting))
            }
        }
    }
}
