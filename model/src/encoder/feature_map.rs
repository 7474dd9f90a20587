//! Activations of a few images, channel last, in buffers that are reused from layer to layer.

/// `[count, height, width, channels]`, row-major.
#[derive(Clone, Debug, Default)]
pub(super) struct FeatureMap {
    pub(super) values: Vec<f32>,
    pub(super) count: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl FeatureMap {
    /// Takes another shape. What the values are afterwards is unspecified: the caller writes them all.
    pub(super) fn reshape(&mut self, count: usize, height: usize, width: usize, channels: usize) {
        self.values.resize(count * height * width * channels, 0.0);
        (self.count, self.height, self.width, self.channels) = (count, height, width, channels);
    }

    /// One row of pixels of one image, `[width, channels]`.
    pub(super) fn row(&self, image: usize, y: usize) -> &[f32] {
        let len = self.width * self.channels;
        let start = (image * self.height + y) * len;
        &self.values[start..start + len]
    }

    /// Mean over all pixels of each image, into `means` `[count, channels]`.
    pub(super) fn global_average(&self, means: &mut [f32]) {
        let pixels = self.height * self.width;
        let share = 1.0 / pixels as f32;
        let images = self.values.chunks_exact(pixels * self.channels);
        for (image, mean) in images.zip(means.chunks_exact_mut(self.channels)) {
            mean.fill(0.0);
            for pixel in image.chunks_exact(self.channels) {
                mean.iter_mut().zip(pixel).for_each(|(mean, value)| *mean += value);
            }
            mean.iter_mut().for_each(|mean| *mean *= share);
        }
    }

    /// Maximum over 3 x 3 windows, stride 2, padding 1, into `pooled`.
    pub(super) fn max_pool_3x3_stride_2(&self, pooled: &mut Self) {
        let (height, width) = (self.height.div_ceil(2), self.width.div_ceil(2));
        pooled.reshape(self.count, height, width, self.channels);
        pooled.values.fill(f32::NEG_INFINITY);
        let rows = pooled.values.chunks_exact_mut(width * self.channels);
        for (at, target) in rows.enumerate() {
            let (image, y) = (at / height, at % height);
            for source_y in window(y, self.height) {
                self.max_into_row(self.row(image, source_y), target);
            }
        }
    }

    /// Maximum over windows of three pixels along `row`, stride 2, joined with what `target` holds.
    fn max_into_row(&self, row: &[f32], target: &mut [f32]) {
        for (x, target) in target.chunks_exact_mut(self.channels).enumerate() {
            for source_x in window(x, self.width) {
                let source = &row[source_x * self.channels..][..self.channels];
                target.iter_mut().zip(source).for_each(|(max, value)| *max = max.max(*value));
            }
        }
    }
}

/// Buffers of one thread, reused by every block of a network.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// What a block reads and leaves behind.
    pub(super) map: FeatureMap,
    /// After a block's first convolution.
    pub(super) first: FeatureMap,
    /// After its second.
    pub(super) second: FeatureMap,
    /// Its shortcut or result, until it takes the place of `map`.
    pub(super) next: FeatureMap,
    /// What the pixels of a tile see.
    pub(super) columns: Vec<f32>,
}

/// The source positions under window `at` of three, stride 2, padding 1.
fn window(at: usize, len: usize) -> std::ops::Range<usize> {
    (2 * at).saturating_sub(1)..(2 * at + 2).min(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(height: usize, width: usize) -> FeatureMap {
        let values = (0..height * width).map(|it| it as f32).collect();
        FeatureMap { values, count: 1, height, width, channels: 1 }
    }

    #[test]
    fn pooling_covers_even_and_odd_sizes_to_the_edge() {
        let mut pooled = FeatureMap::default();
        ramp(4, 4).max_pool_3x3_stride_2(&mut pooled);
        assert_eq!(pooled.values, [5.0, 7.0, 13.0, 15.0]);
        ramp(3, 5).max_pool_3x3_stride_2(&mut pooled);
        assert_eq!(pooled.values, [6.0, 8.0, 9.0, 11.0, 13.0, 14.0]);
    }

    #[test]
    fn the_global_average_is_taken_per_image_and_channel() {
        let values = vec![1.0, 10.0, 3.0, 30.0, -1.0, 0.0, -1.0, 8.0];
        let map = FeatureMap { values, count: 2, height: 1, width: 2, channels: 2 };
        let mut means = [f32::NAN; 4];
        map.global_average(&mut means);
        assert_eq!(means, [2.0, 20.0, -1.0, 4.0]);
    }
}
