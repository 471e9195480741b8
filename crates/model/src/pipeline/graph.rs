//! Who needs whom: an order, what is needed by way of others, and circles.

/// The needs of all stages, by index.
pub(super) struct Graph {
    needs: Vec<Vec<usize>>,
    /// Each stage after all that it needs; those in a circle, and those behind one, are missing.
    pub order: Vec<usize>,
    /// For each stage a bit for every stage that it needs, also by way of others.
    reach: Vec<Vec<u64>>,
}

impl Graph {
    pub(super) fn new(needs: Vec<Vec<usize>>) -> Self {
        let order = order(&needs);
        let words = needs.len().div_ceil(64);
        let mut reach = vec![vec![0_u64; words]; needs.len()];
        for stage in &order {
            let mut bits = vec![0_u64; words];
            for need in &needs[*stage] {
                bits[need / 64] |= 1 << (need % 64);
                for (own, theirs) in bits.iter_mut().zip(&reach[*need]) {
                    *own |= theirs;
                }
            }
            reach[*stage] = bits;
        }
        Self { needs, order, reach }
    }

    /// Whether `stage` runs after `other`, because it needs it.
    pub(super) fn needs(&self, stage: usize, other: usize) -> bool {
        self.reach
            .get(stage)
            .and_then(|bits| bits.get(other / 64))
            .is_some_and(|bits| bits & (1 << (other % 64)) != 0)
    }

    pub(super) fn has_circle(&self) -> bool {
        self.order.len() < self.needs.len()
    }

    /// Circles, each with its stages in the order of their needs; every stage is in one at most.
    pub(super) fn circles(&self) -> Vec<Vec<usize>> {
        let mut settled = vec![false; self.needs.len()];
        self.order.iter().for_each(|stage| settled[*stage] = true);
        let mut circles = Vec::new();
        for start in 0..self.needs.len() {
            let mut path: Vec<usize> = Vec::new();
            let mut next = (!settled[start]).then_some(start);
            while let Some(stage) = next {
                if let Some(from) = path.iter().position(|seen| *seen == stage) {
                    circles.push(path[from..].to_vec());
                    break;
                }
                path.push(stage);
                next = self.needs[stage].iter().copied().find(|need| !settled[*need]);
            }
            path.into_iter().for_each(|stage| settled[stage] = true);
        }
        circles
    }
}

/// Kahn's order; among those that could be next the one that is written first.
fn order(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut unmet: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); needs.len()];
    for (stage, needed) in needs.iter().enumerate() {
        needed.iter().for_each(|need| dependents[*need].push(stage));
    }
    let free = (0..needs.len()).filter(|stage| unmet[*stage] == 0).map(std::cmp::Reverse);
    let mut ready: std::collections::BinaryHeap<_> = free.collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(std::cmp::Reverse(stage)) = ready.pop() {
        order.push(stage);
        for dependent in &dependents[stage] {
            unmet[*dependent] -= 1;
            if unmet[*dependent] == 0 {
                ready.push(std::cmp::Reverse(*dependent));
            }
        }
    }
    order
}
