//! Linear warm-up from nearly 0, then a cosine (MODELS 5.3).

use super::config::ScheduleConfig;

/// Where the warm-up begins.
const FIRST: f64 = 1e-6;

/// The learning rate of step `step` of `n_steps`, of which the first `n_warmup` warm up.
pub(crate) fn learning_rate(
    config: &ScheduleConfig,
    step: usize,
    n_warmup: usize,
    n_steps: usize,
) -> f64 {
    if step < n_warmup {
        return FIRST + (config.peak - FIRST) * step as f64 / n_warmup as f64;
    }
    let rest = n_steps.saturating_sub(n_warmup).max(1);
    let done = (step - n_warmup) as f64 / rest as f64;
    config.last + 0.5 * (config.peak - config.last) * (1.0 + (std::f64::consts::PI * done).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: ScheduleConfig = ScheduleConfig { peak: 1e-3, last: 1e-5, warmup_epochs: 1 };

    #[test]
    fn the_rate_rises_to_its_peak_and_falls_to_its_last() {
        let at = |step| learning_rate(&CONFIG, step, 10, 110);
        assert!((at(0) - 1e-6).abs() < 1e-12);
        assert!((at(10) - 1e-3).abs() < 1e-12);
        assert!((at(60) - (1e-3 + 1e-5) / 2.0).abs() < 1e-9);
        assert!((at(110) - 1e-5).abs() < 1e-12);
    }

    #[test]
    fn a_run_shorter_than_its_warm_up_stays_finite() {
        assert!(learning_rate(&CONFIG, 3, 3, 3).is_finite());
        assert!(learning_rate(&CONFIG, 0, 0, 1).is_finite());
    }
}
