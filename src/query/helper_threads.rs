//! Threads that work on one question together, as long as nobody else asks.

use std::panic::resume_unwind;
use std::thread::{self, Builder};

use super::view::View;

/// The thread of a question with its view, and other threads that help. Each of them has a view of
/// its own, of the moment of the first one.
pub struct HelperThreads<'a> {
    view: &'a View<'a>,
    others: Vec<View<'a>>,
}

impl<'a> HelperThreads<'a> {
    /// Up to `wanted` threads, as many as have nothing to do just now.
    pub fn new(view: &'a View<'a>, wanted: usize) -> HelperThreads<'a> {
        let mut others = Vec::new();
        while others.len() + 1 < wanted
            && let Some(other) = view.sibling()
        {
            others.push(other);
        }
        HelperThreads { view, others }
    }

    /// How many threads there are, after threads that other questions need were given back.
    pub fn count(&mut self) -> usize {
        while self.view.is_crowded() && self.others.pop().is_some() {}
        self.others.len() + 1
    }

    /// Hands out `items` in parts of `per`, no more of them than there are threads; the results in
    /// the order of the items.
    pub fn each<T: Sync, R: Send>(
        &mut self,
        items: &[T],
        per: usize,
        work: impl Fn(&View<'_>, &[T]) -> R + Sync,
    ) -> Vec<R> {
        let HelperThreads { view, others } = self;
        let work = &work;
        let mut parts = items.chunks(per.max(1)).take(others.len() + 1);
        let Some(own) = parts.next() else { return Vec::new() };
        thread::scope(|scope| {
            let mut begun = Vec::new();
            for (part, other) in parts.zip(others.iter_mut()) {
                let thread = Builder::new().name("history".into());
                // where no thread is to be had, the part is for this one
                begun.push((part, thread.spawn_scoped(scope, move || work(other, part)).ok()));
            }
            let mut results = vec![work(view, own)];
            results.extend(begun.into_iter().map(|(part, thread)| match thread {
                Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                None => work(view, part),
            }));
            results
        })
    }
}
