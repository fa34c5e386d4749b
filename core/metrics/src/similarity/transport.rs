//! The cheapest way to turn one distribution into another.

/// The least total cost of moving `supply` to `demand` at `cost[i·demand.len() + j]` per unit.
///
/// Minimum-cost flow by successive shortest paths with potentials (Ahuja, Magnanti and Orlin
/// 1993, section 9.7): from a source that still has something, the cheapest path of shipments and
/// of shipments taken back to a sink that still lacks something. Amounts are whole units, so the
/// search ends and what it ends with is optimal; only the sum of costs is rounded. Sources and
/// sinks must have the same total, and costs must not be negative.
pub(super) fn minimum_cost(supply: &[u64], demand: &[u64], cost: &[f64]) -> f64 {
    let columns = demand.len();
    let mut flow = vec![0u64; supply.len() * columns];
    let mut demand = demand.to_vec();
    let mut potentials = Potentials {
        rows: vec![0.0; supply.len()],
        columns: vec![0.0; columns],
    };
    let mut search = Search::new(supply.len(), columns);
    for (source, &amount) in supply.iter().enumerate() {
        let mut left = amount;
        while left > 0 {
            let Some(sink) = search.run(source, &demand, cost, &flow, &mut potentials) else {
                // Totals differ: nothing lacks anything.
                break;
            };
            let moved = search
                .bottleneck(source, sink, &flow)
                .min(left)
                .min(demand[sink]);
            search.ship(source, sink, moved, &mut flow);
            left -= moved;
            demand[sink] -= moved;
        }
    }
    flow.iter()
        .zip(cost)
        .map(|(&units, cost)| units as f64 * cost)
        .sum()
}

/// Prices that keep every reduced cost `cost − row − column` from being negative.
struct Potentials {
    rows: Vec<f64>,
    columns: Vec<f64>,
}

/// A shortest-path search from one source over the network of what can be shipped or taken back.
struct Search {
    row_distance: Vec<f64>,
    /// The column whose shipment is taken back to reach a row.
    row_from: Vec<usize>,
    column_distance: Vec<f64>,
    /// The row a column is reached from.
    column_from: Vec<usize>,
    settled: Vec<bool>,
}

impl Search {
    fn new(rows: usize, columns: usize) -> Self {
        Self {
            row_distance: vec![f64::INFINITY; rows],
            row_from: vec![usize::MAX; rows],
            column_distance: vec![f64::INFINITY; columns],
            column_from: vec![usize::MAX; columns],
            settled: vec![false; columns],
        }
    }

    /// The nearest column that lacks something; leaves the way to it, and new potentials.
    fn run(
        &mut self,
        source: usize,
        demand: &[u64],
        cost: &[f64],
        flow: &[u64],
        potentials: &mut Potentials,
    ) -> Option<usize> {
        let columns = demand.len();
        self.row_distance.fill(f64::INFINITY);
        self.column_distance.fill(f64::INFINITY);
        self.settled.fill(false);
        self.row_distance[source] = 0.0;
        self.row_from[source] = usize::MAX;
        let mut fresh = vec![source];
        let sink = loop {
            for row in fresh.drain(..) {
                let base = self.row_distance[row] - potentials.rows[row];
                for column in 0..columns {
                    if self.settled[column] {
                        continue;
                    }
                    let price = cost[row * columns + column] - potentials.columns[column];
                    // Rounding may take a reduced cost a hair below zero.
                    let distance = (base + price).max(self.row_distance[row]);
                    if distance < self.column_distance[column] {
                        self.column_distance[column] = distance;
                        self.column_from[column] = row;
                    }
                }
            }
            let nearest = (0..columns)
                .filter(|&column| !self.settled[column])
                .min_by(|&a, &b| self.column_distance[a].total_cmp(&self.column_distance[b]))?;
            if !self.column_distance[nearest].is_finite() {
                return None;
            }
            self.settled[nearest] = true;
            if demand[nearest] > 0 {
                break nearest;
            }
            for row in 0..self.row_distance.len() {
                let known = self.row_distance[row].is_finite();
                if !known && flow[row * columns + nearest] > 0 {
                    self.row_distance[row] = self.column_distance[nearest];
                    self.row_from[row] = nearest;
                    fresh.push(row);
                }
            }
        };
        let reached = self.column_distance[sink];
        for (potential, &distance) in potentials.rows.iter_mut().zip(&self.row_distance) {
            if distance.is_finite() {
                *potential += reached - distance;
            }
        }
        for column in 0..columns {
            if self.settled[column] {
                potentials.columns[column] -= reached - self.column_distance[column];
            }
        }
        Some(sink)
    }

    /// The steps of the way, last first: a row, the column it ships to, and the column whose
    /// shipment it takes back, if it is not the source.
    fn steps(
        &self,
        source: usize,
        sink: usize,
    ) -> impl Iterator<Item = (usize, usize, Option<usize>)> {
        let mut column = Some(sink);
        std::iter::from_fn(move || {
            let to = column?;
            let row = self.column_from[to];
            column = (row != source).then(|| self.row_from[row]);
            Some((row, to, column))
        })
    }

    fn bottleneck(&self, source: usize, sink: usize, flow: &[u64]) -> u64 {
        let columns = self.settled.len();
        self.steps(source, sink)
            .filter_map(|(row, _, back)| Some(flow[row * columns + back?]))
            .min()
            .unwrap_or(u64::MAX)
    }

    fn ship(&self, source: usize, sink: usize, amount: u64, flow: &mut [u64]) {
        let columns = self.settled.len();
        for (row, to, back) in self.steps(source, sink) {
            flow[row * columns + to] += amount;
            if let Some(back) = back {
                flow[row * columns + back] -= amount;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DrawKey;

    #[test]
    fn by_hand() {
        // 3 units at one place, two sinks at cost 1 and 4
        assert_eq!(minimum_cost(&[3], &[2, 1], &[1.0, 4.0]), 6.0);
        // The cheap arc of the first source must be given back: greedy would cost 1 + 10.
        assert_eq!(minimum_cost(&[1, 1], &[1, 1], &[1.0, 2.0, 2.0, 10.0]), 4.0);
        assert_eq!(minimum_cost(&[], &[], &[]), 0.0);
    }

    #[test]
    fn assignments_are_the_best_of_all_permutations() {
        for item in 0..30 {
            let mut draws = DrawKey::new(3, "transport", item).draws(0);
            let cost: Vec<f64> = (0..36).map(|_| draws.unit()).collect();
            let mut best = f64::INFINITY;
            permutations(&mut vec![0, 1, 2, 3, 4, 5], 0, &mut |order| {
                let sum = order
                    .iter()
                    .enumerate()
                    .map(|(i, &j)| cost[i * 6 + j])
                    .sum();
                best = best.min(sum);
            });
            let found = minimum_cost(&[1; 6], &[1; 6], &cost);
            assert!((found - best).abs() < 1e-12, "{found} {best}");
        }
    }

    fn permutations(items: &mut Vec<usize>, from: usize, see: &mut impl FnMut(&[usize])) {
        if from == items.len() {
            return see(items);
        }
        for other in from..items.len() {
            items.swap(from, other);
            permutations(items, from + 1, see);
            items.swap(from, other);
        }
    }
}
