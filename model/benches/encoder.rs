//! How many patches a second an encoder takes in: the longest stage of an analysis.
//!
//! 49 patches of 64 px are what a quick look at a window costs; 121 patches of 100 px are one window of
//! the paper, 1100 x 1100 px cut into 11 x 11.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use domain::progress::CancelToken;
use model::encoder::{self, PatchBatch};

/// Patches without any pattern that a kernel could profit from.
fn patches(count: u64, side_px: u32) -> PatchBatch {
    let len = count * u64::from(side_px).pow(2) * 3;
    let rgb = (0..len).map(|it| (it.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    PatchBatch { side_px, rgb }
}

fn encode(criterion: &mut Criterion) {
    for shipped in encoder::SHIPPED {
        let Ok(encoder) = encoder::load(shipped.name) else { continue };
        let mut group = criterion.benchmark_group(format!("encoder/{}", shipped.name));
        group.sample_size(10);
        for (count, side_px) in [(49, 64), (121, 100)] {
            let batch = patches(count, side_px);
            group.throughput(Throughput::Elements(count));
            group.bench_function(format!("{side_px}px x {count}"), |bencher| {
                bencher
                    .iter(|| encoder.encode(black_box(&batch), side_px, &CancelToken::default()));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
