//! One computation, timed: what `against_torch.py` compares with the same computation in PyTorch.
//!
//! `speed CASE LENGTH forward|training` with `CASE` one of `scan`, `filter`, `step`, `encoder`, `unet16`, `unet32`, `vmaml`, `mae` prints
//! `{"seconds": …, "cpu_seconds": …, "runs": …, "peak_bytes": …}`: the best of several runs, the mean processor time of a
//! run on all cores, and by how much the process grew (the latter two on Linux).
//! Without arguments it runs every case once, small.

use std::time::{Duration, Instant};

use domain::progress::CancelToken;
use model::camseg::network::NetworkConfig;
use model::camseg::vmaml::VmamlConfig;
use model::encoder::{self, PatchBatch};
use model::fmamil::{FmamilConfig, Grid};
use model::timing::{self, Pass, Workload};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Repeats until this long has passed.
const ENOUGH: Duration = Duration::from_secs(3);
const MOST_RUNS: u32 = 200;

fn main() -> Outcome<()> {
    model::threads::keep_tensors_on_their_thread()?;
    model::memory::keep_freed_blocks();
    let words: Vec<String> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    model::threads::on_the_pool(|| match words[..] {
        [case, length, pass] => report(case, length.parse()?, parse(pass)?),
        _ => ["scan", "filter", "step"]
            .into_iter()
            .try_for_each(|case| report(case, 122, Pass::Training)),
    })
}

fn parse(pass: &str) -> Outcome<Pass> {
    match pass {
        "forward" => Ok(Pass::Forward),
        "training" => Ok(Pass::Training),
        _ => Err(format!("expected forward or training, found {pass}").into()),
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its result")]
fn report(case: &str, length: usize, pass: Pass) -> Outcome<()> {
    let mut workload = workload(case, length, pass)?;
    let before = memory("VmRSS:");
    workload()?; // Plans, pools and page tables.
    let processor = processor_seconds();
    let (mut best, mut runs) = (Duration::MAX, 0);
    let start = Instant::now();
    while runs < MOST_RUNS && (runs < 2 || start.elapsed() < ENOUGH) {
        let run = Instant::now();
        workload()?;
        best = best.min(run.elapsed());
        runs += 1;
    }
    let grown = memory("VmHWM:").zip(before).map(|(peak, before)| peak.saturating_sub(before));
    let grown = grown.map_or("null".to_owned(), |bytes| bytes.to_string());
    let spent =
        processor_seconds().zip(processor).map(|(end, start)| (end - start) / f64::from(runs));
    let spent = spent.map_or("null".to_owned(), |seconds| format!("{seconds:.6}"));
    let best = best.as_secs_f64();
    println!(
        r#"{{"seconds": {best:.6}, "cpu_seconds": {spent}, "runs": {runs}, "peak_bytes": {grown}}}"#
    );
    Ok(())
}

fn workload(case: &str, length: usize, pass: Pass) -> Outcome<Workload> {
    Ok(match case {
        "scan" => timing::scan(length, 512, 16, pass)?,
        "filter" => timing::frequency_filter(length, 512, pass)?,
        "step" => timing::training_step(&FmamilConfig::paper(1024), nearly_square(length))?,
        "encoder" => encode(length)?,
        "unet16" => timing::segmentation(&NetworkConfig::Unet { base: 16 }, length, pass)?,
        "unet32" => timing::segmentation(&NetworkConfig::Unet { base: 32 }, length, pass)?,
        "vmaml" => {
            let network = NetworkConfig::Vmaml(VmamlConfig::default());
            timing::segmentation(&network, length, pass)?
        }
        "mae" => timing::pretraining_step(length)?,
        _ => {
            let known = "scan, filter, step, encoder, unet16, unet32, vmaml or mae";
            return Err(format!("expected {known}, found {case}").into());
        }
    })
}

/// A grid of `patches` patches, or a few less.
fn nearly_square(patches: usize) -> Grid {
    let rows = patches.isqrt();
    Grid { rows, columns: patches / rows }
}

/// `count` patches of 100 px, as a window of 1100 x 1100 px has 121 of.
fn encode(count: usize) -> Outcome<Workload> {
    const SIDE_PX: u32 = 100;
    let encoder = encoder::load(encoder::SHIPPED[0].name)?;
    let len = count * (SIDE_PX * SIDE_PX * 3) as usize;
    let rgb = (0..len).map(|it| (it.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    let batch = PatchBatch { side_px: SIDE_PX, rgb };
    Ok(Box::new(move || {
        if let Err(error) = encoder.encode(&batch, SIDE_PX, &CancelToken::default()) {
            return Err(timing::TimingError::new(&error));
        }
        Ok(())
    }))
}

/// Processor time of this process so far, to a hundredth of a second; `None` on other systems.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the program's name, in parentheses: state first, user and system time 12th and 13th.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// A line of `/proc/self/status` in bytes; `None` on other systems.
fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
