//! Threads that work on one question together, as long as no other question needs them.

use std::panic::resume_unwind;
use std::thread::{self, Builder};

use super::view::View;

/// The view of a question's own thread, and one view for each thread that helps it. All views are
/// of one moment.
pub struct HelperThreads<'a> {
    view: &'a View<'a>,
    others: Vec<View<'a>>,
}

impl<'a> HelperThreads<'a> {
    /// Takes up to `wanted` threads, the question's own among them, but none that other questions
    /// need.
    pub fn new(view: &'a View<'a>, wanted: usize) -> HelperThreads<'a> {
        let mut others = Vec::new();
        while others.len() + 1 < wanted
            && let Some(other) = view.sibling()
        {
            others.push(other);
        }
        HelperThreads { view, others }
    }

    /// Gives back the threads that other questions need by now, and returns how many are left.
    pub fn count(&mut self) -> usize {
        while self.view.is_crowded() && self.others.pop().is_some() {}
        self.others.len() + 1
    }

    /// Lets each thread work on one part of `per` items; items beyond these parts are left out. The
    /// results come in the order of the items.
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
                // if no thread can be started, this one works on the part, too, below
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
