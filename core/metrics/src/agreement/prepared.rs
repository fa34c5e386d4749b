//! All measures of agreement by name, on maps that are prepared once.

use super::{
    CentredRanks, ImportanceOrder, Places, TopK, feature_agreement, grid_sums,
    pairwise_rank_agreement, rank_agreement, sign_agreement, signed_rank_agreement, spearman,
    top_k_jaccard, top_k_overlap,
};
use crate::similarity::{
    GridMass, Shares, SsimMap, UnitMap, cosine, earth_movers_distance, js_divergence, ssim,
};
use crate::{NotApplicable, RankedMagnitude, RankedMap, Score};

/// A measure of agreement; its id is that of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// `spearman`
    Spearman,
    /// `top_k_overlap`
    TopKOverlap,
    /// `top_k_jaccard`
    TopKJaccard,
    /// `feature_agreement`
    FeatureAgreement,
    /// `rank_agreement`
    RankAgreement,
    /// `sign_agreement`
    SignAgreement,
    /// `signed_rank_agreement`
    SignedRankAgreement,
    /// `rank_correlation`
    RankCorrelation,
    /// `pairwise_rank_agreement`
    PairwiseRankAgreement,
    /// `ssim`
    Ssim,
    /// `cosine`
    Cosine,
    /// `js_divergence`
    JsDivergence,
    /// `earth_movers_distance`
    EarthMoversDistance,
}

impl Measure {
    /// All measures, in the catalogue's order.
    pub const ALL: [Self; 13] = [
        Self::Spearman,
        Self::TopKOverlap,
        Self::TopKJaccard,
        Self::FeatureAgreement,
        Self::RankAgreement,
        Self::SignAgreement,
        Self::SignedRankAgreement,
        Self::RankCorrelation,
        Self::PairwiseRankAgreement,
        Self::Ssim,
        Self::Cosine,
        Self::JsDivergence,
        Self::EarthMoversDistance,
    ];

    /// Its id in the catalogue.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Spearman => "spearman",
            Self::TopKOverlap => "top_k_overlap",
            Self::TopKJaccard => "top_k_jaccard",
            Self::FeatureAgreement => "feature_agreement",
            Self::RankAgreement => "rank_agreement",
            Self::SignAgreement => "sign_agreement",
            Self::SignedRankAgreement => "signed_rank_agreement",
            Self::RankCorrelation => "rank_correlation",
            Self::PairwiseRankAgreement => "pairwise_rank_agreement",
            Self::Ssim => "ssim",
            Self::Cosine => "cosine",
            Self::JsDivergence => "js_divergence",
            Self::EarthMoversDistance => "earth_movers_distance",
        }
    }

    /// The measure with this id.
    #[must_use]
    pub fn of(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.id() == id)
    }

    /// The agreement of two maps that were prepared for this measure.
    ///
    /// # Errors
    /// Why a map has no such score, the first map's reason first; the measure's own reasons;
    /// [`NotApplicable::Empty`] where a map was not prepared for it.
    pub fn compare(self, a: &PreparedMap, b: &PreparedMap) -> Score {
        match self {
            Self::Spearman => both(&a.ranks, &b.ranks, spearman),
            Self::TopKOverlap => both(&a.top, &b.top, top_k_overlap),
            Self::TopKJaccard => both(&a.top, &b.top, top_k_jaccard),
            Self::FeatureAgreement => both(&a.places, &b.places, feature_agreement),
            Self::RankAgreement => both(&a.places, &b.places, rank_agreement),
            Self::SignAgreement => both(&a.places, &b.places, sign_agreement),
            Self::SignedRankAgreement => both(&a.places, &b.places, signed_rank_agreement),
            Self::RankCorrelation => both(&a.segment_ranks, &b.segment_ranks, spearman),
            Self::PairwiseRankAgreement => both(&a.order, &b.order, pairwise_rank_agreement),
            Self::Ssim => both(&a.structure, &b.structure, ssim),
            Self::Cosine => both(&a.unit, &b.unit, cosine),
            Self::JsDivergence => both(&a.shares, &b.shares, js_divergence),
            Self::EarthMoversDistance => both(&a.mass, &b.mass, earth_movers_distance),
        }
    }
}

/// What a map brings to a measure, or why it has none; `None` where it was not asked for.
type Part<T> = Option<Result<T, NotApplicable>>;

fn both<T>(a: &Part<T>, b: &Part<T>, compare: impl Fn(&T, &T) -> Score) -> Score {
    match (a, b) {
        (Some(a), Some(b)) => {
            let (a, b) = (
                a.as_ref().map_err(|why| *why)?,
                b.as_ref().map_err(|why| *why)?,
            );
            compare(a, b)
        }
        _ => Err(NotApplicable::Empty),
    }
}

/// How maps are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgreementSettings {
    /// Share of pixels or segments that is the top k, in (0, 1].
    pub top_k_share: f64,
    /// Side of the grid segments of the measures of Krishna et al., in pixels; 1 for the pixels
    /// themselves. A map with a side of 1 (a table's row) is taken as it is.
    pub segment: usize,
}

impl AgreementSettings {
    /// The side of the segments unless a suite says otherwise.
    pub const DEFAULT_SEGMENT: usize = 4;
}

/// A map, prepared for being compared with many others.
#[derive(Debug, Clone, Default)]
pub struct PreparedMap {
    ranks: Part<CentredRanks>,
    top: Part<TopK>,
    places: Part<Places>,
    segment_ranks: Part<CentredRanks>,
    order: Part<ImportanceOrder>,
    structure: Part<SsimMap>,
    unit: Part<UnitMap>,
    shares: Part<Shares>,
    mass: Part<GridMass>,
}

impl PreparedMap {
    /// Prepares a map `[height, width]`, its channels summed, for some measures.
    #[must_use]
    pub fn new(
        map: &[f32],
        [height, width]: [usize; 2],
        measures: &[Measure],
        settings: &AgreementSettings,
    ) -> Self {
        let asks = |some: &[Measure]| some.iter().any(|one| measures.contains(one));
        let mut prepared = Self::default();
        if asks(&[
            Measure::Spearman,
            Measure::TopKOverlap,
            Measure::TopKJaccard,
        ]) {
            let ranked = RankedMap::new(map);
            let of = || ranked.as_ref().map_err(|why| *why);
            prepared.ranks = Some(of().and_then(CentredRanks::new));
            prepared.top =
                Some(of().map(|map| TopK::new(&RankedMagnitude::of(map), settings.top_k_share)));
        }
        if asks(&[
            Measure::FeatureAgreement,
            Measure::RankAgreement,
            Measure::SignAgreement,
            Measure::SignedRankAgreement,
            Measure::RankCorrelation,
            Measure::PairwiseRankAgreement,
        ]) {
            let line = height == 1 || width == 1;
            let side = if line { 1 } else { settings.segment };
            let ranked = match map.iter().all(|value| value.is_finite()) {
                true => grid_sums(map, height, width, side).and_then(|map| RankedMap::new(&map)),
                false => Err(NotApplicable::NonFinite),
            };
            let magnitude = ranked.as_ref().map(RankedMagnitude::of).map_err(|why| *why);
            let of = || magnitude.as_ref().map_err(|why| *why);
            prepared.places = Some(
                ranked
                    .as_ref()
                    .map(|map| Places::new(map, settings.top_k_share))
                    .map_err(|why| *why),
            );
            prepared.segment_ranks = Some(of().and_then(|map| CentredRanks::new(map.as_map())));
            prepared.order = Some(of().and_then(ImportanceOrder::new));
        }
        if asks(&[Measure::Ssim]) {
            prepared.structure = Some(SsimMap::new(map, height, width));
        }
        if asks(&[Measure::Cosine]) {
            prepared.unit = Some(UnitMap::new(map));
        }
        if asks(&[Measure::JsDivergence]) {
            prepared.shares = Some(Shares::new(map));
        }
        if asks(&[Measure::EarthMoversDistance]) {
            prepared.mass = Some(GridMass::new(map, height, width));
        }
        prepared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DrawKey, Family, catalogue};

    const SETTINGS: AgreementSettings = AgreementSettings {
        top_k_share: 0.25,
        segment: 4,
    };

    fn drawn(item: u64) -> PreparedMap {
        let mut draws = DrawKey::new(2, "prepared", item).draws(0);
        let map: Vec<f32> = (0..256).map(|_| draws.unit() as f32 - 0.4).collect();
        PreparedMap::new(&map, [16, 16], &Measure::ALL, &SETTINGS)
    }

    #[test]
    fn measures_are_the_catalogues_agreement() {
        let ids: Vec<&str> = catalogue()
            .iter()
            .filter(|score| score.family == Family::Agreement)
            .map(|score| score.id)
            .collect();
        assert_eq!(ids, Measure::ALL.map(Measure::id));
        assert_eq!(Measure::of("gini"), None);
    }

    #[test]
    fn every_measure_is_symmetric_in_range_and_best_on_itself() {
        let (a, b) = (drawn(0), drawn(1));
        for measure in Measure::ALL {
            let (low, high) = crate::find(measure.id()).unwrap().range;
            let score = measure.compare(&a, &b).unwrap();
            assert!((low..=high).contains(&score), "{measure:?} {score}");
            assert!(
                (score - measure.compare(&b, &a).unwrap()).abs() < 1e-12,
                "{measure:?}"
            );
            let distance = matches!(
                measure,
                Measure::JsDivergence | Measure::EarthMoversDistance
            );
            let own = measure.compare(&a, &a).unwrap();
            let best = if distance { 0.0 } else { 1.0 };
            assert!((own - best).abs() < 1e-9, "{measure:?} {own}");
        }
    }

    #[test]
    fn maps_that_cannot_be_compared_say_why() {
        let good = drawn(0);
        let zeros = PreparedMap::new(&[0.0; 256], [16, 16], &Measure::ALL, &SETTINGS);
        let nan = PreparedMap::new(&[f32::NAN; 256], [16, 16], &Measure::ALL, &SETTINGS);
        for measure in Measure::ALL {
            assert_eq!(measure.compare(&good, &nan), Err(NotApplicable::NonFinite));
            let flat = measure.compare(&zeros, &zeros);
            // A flat map overlaps at chance; all else has no value.
            let overlaps = [
                "top_k_overlap",
                "top_k_jaccard",
                "feature_agreement",
                "rank_agreement",
            ];
            assert_eq!(
                flat.is_ok(),
                overlaps.contains(&measure.id()),
                "{measure:?} {flat:?}"
            );
        }
        let only = PreparedMap::new(&[1.0; 4], [2, 2], &[Measure::Cosine], &SETTINGS);
        assert!(Measure::Cosine.compare(&only, &only).is_ok());
        assert_eq!(
            Measure::Ssim.compare(&only, &only),
            Err(NotApplicable::Empty)
        );
    }

    #[test]
    fn rows_of_a_table_are_their_columns() {
        let row =
            |values: &[f32]| PreparedMap::new(values, [1, values.len()], &Measure::ALL, &SETTINGS);
        let (a, b) = (row(&[4.0, -3.0, 2.0, 1.0]), row(&[3.0, -4.0, 2.0, 1.0]));
        assert_eq!(Measure::FeatureAgreement.compare(&a, &b).unwrap(), 0.0);
        let pairs = Measure::PairwiseRankAgreement.compare(&a, &b).unwrap();
        assert!((pairs - 5.0 / 6.0).abs() < 1e-15);
        for measure in [Measure::Ssim, Measure::EarthMoversDistance] {
            assert_eq!(measure.compare(&a, &b), Err(NotApplicable::TooSmall));
        }
    }
}
