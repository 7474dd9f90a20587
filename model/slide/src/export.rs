//! Masks, heatmaps and outlines to files.
