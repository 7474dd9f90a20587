//! How fast does a cold slide give pixels? 512 x 512 px is one display tile and two to three model patches, read where no
//! tile is in the cache yet; the demo slide has RGB JPEG tiles of 240 px, so about nine are decoded for each region.

use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use domain::coords::{LevelRect, PixelSize};
use domain::id::LevelIndex;
use slide::Slide;

const SIZE: PixelSize = PixelSize { width: 512, height: 512 };

/// Apart by more than a stored tile, so that no region finds another's tiles.
const CORNERS: [(i64, i64); 6] =
    [(13, 29), (800, 31), (1600, 17), (40, 1000), (811, 1900), (1555, 2222)];

fn read_region(criterion: &mut Criterion) {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/demo"))
        .join("cmu-1-small-region.svs");
    let mut group = criterion.benchmark_group("read_region");
    group.sample_size(20);
    group.throughput(Throughput::Elements(SIZE.area() * CORNERS.len() as u64));
    group.bench_function("cold_aperio_rgb_jpeg", |bencher| {
        let read = |slide: Slide| {
            for (x, y) in CORNERS {
                assert!(slide.read_region(LevelIndex(0), LevelRect { x, y, size: SIZE }).is_ok());
            }
        };
        bencher.iter_batched(|| open(&path), read, BatchSize::PerIteration);
    });
    group.finish();
    criterion.bench_function("open_aperio", |bencher| bencher.iter(|| open(&path)));
}

#[expect(clippy::expect_used, reason = "a bench without its slide measures nothing")]
fn open(path: &Path) -> Slide {
    Slide::open(path).expect("the demo slide opens")
}

criterion_group!(benches, read_region);
criterion_main!(benches);
