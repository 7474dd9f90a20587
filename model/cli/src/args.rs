//! The command line as types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::analysis::Fineness;
use model::cam::MapKind;
use model::data::folder::Split;
use model::device::DeviceChoice;
use model::train::Preset;
use model::wise::Choice;
use slide::export::{ExportFormat, FrameChoice};
use slide::import::OriginChoice;

/// Find lesions on pathology slides with models trained on slide labels.
/// For research use only. Not for use in diagnostic procedures.
#[derive(Debug, Parser)]
#[command(name = "slidelight-cli", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What a slide file holds
    Info(InfoArgs),
    /// Save a rectangle of a slide as PNG
    Region(RegionArgs),
    /// Run a model over slides and save masks, heatmaps, outlines and figures
    Predict(PredictArgs),
    /// How much of the lesion a run over the most informative patches alone finds, and in what time
    Preselect(PreselectArgs),
    /// Check a file of annotations against a slide, and write it for other programs
    Annotations(AnnotationsArgs),
    /// Train a model on a labelled folder
    Train(TrainArgs),
    /// Learn an encoder from slides without labels (WISE-MAE, a reconstruction from its abstract)
    Pretrain(PretrainArgs),
    /// Measure a model on a labelled folder
    Eval(EvalArgs),
    /// List the models that are installed, keep, delete, export and import them
    Models(ModelsArgs),
    /// List the encoders that are installed, or add one
    Encoders(EncodersArgs),
    /// Compare golden tensors of another implementation with what this program computes
    Fixture(FixtureArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// The slide file
    pub(crate) slide: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RegionArgs {
    /// The slide file
    pub(crate) slide: PathBuf,
    /// Which resolution, 0 = full
    #[arg(long)]
    pub(crate) level: u16,
    /// Left edge in level-0 pixels
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) x: i64,
    /// Top edge in level-0 pixels
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) y: i64,
    /// Width in pixels of the level
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) width: u32,
    /// Height in pixels of the level
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) height: u32,
    /// The PNG file to write
    #[arg(long, value_name = "FILE.png")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// Slide files
    #[arg(required = true, value_name = "SLIDE")]
    pub(crate) slides: Vec<PathBuf>,
    /// A model's name or folder
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) model: String,
    /// Folder for all files; made if missing
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The cut-off t of masks and outlines, 0 to 1; the model's recommendation if left out
    #[arg(long, value_name = "T", value_parser = threshold)]
    pub(crate) threshold: Option<f32>,
    /// Export what the model's refiner makes of the heatmap as well, beside it
    #[arg(long)]
    pub(crate) refine: bool,
    /// The cut-off t of the refined map, 0 to 1; the refiner's recommendation if left out
    #[arg(long, value_name = "T", value_parser = threshold, requires = "refine")]
    pub(crate) refined_threshold: Option<f32>,
    /// What to save, comma separated; the .json record is always written
    #[arg(long, value_delimiter = ',', default_values_t = FormatArg::usual())]
    pub(crate) format: Vec<FormatArg>,
    /// Where coordinates of outlines are counted from
    #[arg(long, default_value = "reader")]
    pub(crate) frame: FrameArg,
    /// Which map to draw instead of the model's own
    #[arg(long, value_enum)]
    pub(crate) map: Option<MapArg>,
    /// How fine the map is drawn
    #[arg(long, default_value = "patch")]
    pub(crate) fineness: FinenessArg,
    /// Look only at the most informative patches of the tissue, so many percent of them
    #[arg(long, value_name = "K", value_parser = percent)]
    pub(crate) preselect: Option<f64>,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub(crate) device: DeviceArg,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PreselectArgs {
    /// Slide files
    #[arg(required = true, value_name = "SLIDE")]
    pub(crate) slides: Vec<PathBuf>,
    /// A model's name or folder
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) model: String,
    /// Shares of the tissue's patches in percent, comma separated
    #[arg(long, value_name = "K", value_delimiter = ',', value_parser = percent, default_values_t = [20.0, 40.0, 60.0])]
    pub(crate) shares: Vec<f64>,
    /// The cut-off t, 0 to 1; the model's recommendation if left out
    #[arg(long, value_name = "T", value_parser = threshold)]
    pub(crate) threshold: Option<f32>,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub(crate) device: DeviceArg,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AnnotationsArgs {
    /// The slide file
    pub(crate) slide: PathBuf,
    /// Annotations of it: GeoJSON as QuPath writes it, XML as ASAP or Aperio writes it
    pub(crate) file: PathBuf,
    /// Where the file's coordinates are counted from; the file's own word, else a guess, if left out
    #[arg(long)]
    pub(crate) from: Option<OriginArg>,
    /// Folder to write into; made if missing
    #[arg(long, value_name = "DIR", requires = "format")]
    pub(crate) out: Option<PathBuf>,
    /// What to write, comma separated: formats of annotations
    #[arg(long, value_delimiter = ',', requires = "out", value_parser = annotation_format)]
    pub(crate) format: Vec<FormatArg>,
    /// Where coordinates of outlines that are written are counted from
    #[arg(long, default_value = "reader")]
    pub(crate) frame: FrameArg,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// A folder with one folder of images per class, or with labels.csv and images/
    pub(crate) folder: PathBuf,
    /// Folder of this training; made if missing
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// Which network to train
    #[arg(long, default_value = "fmamil")]
    pub(crate) stage: StageArg,
    /// With --stage camseg: the trained stage 1, by name or folder
    #[arg(long, value_name = "NAME|DIR", required_if_eq("stage", "camseg"))]
    pub(crate) model: Option<String>,
    /// With --stage camseg: folder of corrected masks, `STEM.labels.ome.tif` or `STEM.png`, that replace the heatmaps of these images
    #[arg(long, value_name = "DIR")]
    pub(crate) masks: Option<PathBuf>,
    /// How much time the training is given
    #[arg(long)]
    pub(crate) preset: Option<PresetArg>,
    /// With stage fmamil: go on from this trained model, by name or folder
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) start_from: Option<String>,
    /// With stage fmamil: the encoder that describes patches, as `encoders` lists it
    #[arg(long, value_name = "NAME")]
    pub(crate) encoder: Option<String>,
    /// JSON file of settings that differ from the preset's or the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One setting, names with dots between, such as `learning_rate.peak=0.0005`; after those of the file
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = model::train::options::parse)]
    pub(crate) changes: Vec<serde_json::Value>,
    /// Continue the unfinished run in RUN with its own settings; begin one if there is none
    #[arg(long)]
    pub(crate) resume: bool,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub(crate) device: DeviceArg,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PretrainArgs {
    /// A folder of slides and images; its labels and masks are not looked at
    pub(crate) folder: PathBuf,
    /// Folder of this training; made if missing
    #[arg(long, value_name = "RUN")]
    pub(crate) out: PathBuf,
    /// How much time the pre-training is given; without it as much as with `thorough`
    #[arg(long, value_enum)]
    pub(crate) preset: Option<PresetArg>,
    /// Name of the encoder; with `add` it is listed under it
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Which patches to learn from
    #[arg(long, value_enum)]
    pub(crate) selection: Option<SelectionArg>,
    /// JSON file of settings that differ from the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One setting, names with dots between, such as `tiles.share=0.4`; after those of the file
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = model::train::options::parse)]
    pub(crate) changes: Vec<serde_json::Value>,
    /// Continue the unfinished run in RUN with its own settings; begin one if there is none
    #[arg(long)]
    pub(crate) resume: bool,
    /// Add the finished encoder to the list of encoders
    #[arg(long)]
    pub(crate) add: bool,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub(crate) device: DeviceArg,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EncodersArgs {
    /// Add the encoder in this folder, the `model` folder of a finished run, to the list
    #[arg(long, value_name = "DIR")]
    pub(crate) add: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// A labelled folder, as for training
    pub(crate) folder: PathBuf,
    /// A model's name or folder
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) model: String,
    /// Folder of masks, one `STEM.png` per positive image
    #[arg(long, value_name = "DIR")]
    pub(crate) masks: Option<PathBuf>,
    /// Measure what the model's refiner makes of the heatmap
    #[arg(long)]
    pub(crate) refine: bool,
    /// Which rows to measure; without it test, else val, else all
    #[arg(long)]
    pub(crate) split: Option<SplitArg>,
    /// The cut-off t of the masks, 0 to 1; the model's recommendation if left out
    #[arg(long, value_name = "T", value_parser = threshold)]
    pub(crate) threshold: Option<f32>,
    /// Leave out the simple methods that a model must beat
    #[arg(long)]
    pub(crate) no_baselines: bool,
    /// Compare with this model on the same images, by name or folder; each at its own t and with its refiner, if it has one
    #[arg(long, value_name = "NAME|DIR", conflicts_with_all = ["refine", "threshold", "no_baselines", "map", "fineness"])]
    pub(crate) against: Option<String>,
    /// With --against: measure the images that validated this run
    #[arg(long, value_name = "RUN", requires = "against", conflicts_with = "split")]
    pub(crate) run: Option<PathBuf>,
    /// The report to write
    #[arg(long, value_name = "report.json")]
    pub(crate) out: PathBuf,
    /// Which map to draw instead of the model's own
    #[arg(long, value_enum)]
    pub(crate) map: Option<MapArg>,
    /// How fine the map is drawn
    #[arg(long, default_value = "patch")]
    pub(crate) fineness: FinenessArg,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub(crate) device: DeviceArg,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) action: Option<ModelsAction>,
    /// Print one JSON object
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What is done about the user's models; without one they are listed.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsAction {
    /// Keep the model of a finished run
    Add(AddArgs),
    /// Bring in a model folder, after a look at everything in it
    Import(ImportArgs),
    /// Copy a model as a folder
    Export {
        /// A model's name or folder
        name: String,
        /// Folder that the copy is put into; made if missing
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Change a model of yours for the version that it replaced
    RollBack {
        /// The model's name
        name: String,
    },
    /// Delete a model of yours and the version before it
    Delete {
        /// The model's name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The run folder
    pub(crate) run: PathBuf,
    /// Short name, as typed after --model
    #[arg(long)]
    pub(crate) name: String,
    /// Readable title; the name if left out
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Organ, stain, source
    #[arg(long)]
    pub(crate) trained_on: Option<String>,
    /// What you want to remember
    #[arg(long)]
    pub(crate) note: Option<String>,
    /// The t that it recommends, 0 to 1; what its validation images propose if left out
    #[arg(long, value_name = "T", value_parser = threshold)]
    pub(crate) threshold: Option<f32>,
    /// Take the place of a model of yours of that name, which is kept as the version before
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The model folder
    pub(crate) dir: PathBuf,
    /// Short name; its own if left out
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Take the place of a model of yours of that name, which is kept as the version before
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FixtureArgs {
    /// A folder of pairs NAME.json and NAME.safetensors
    pub(crate) folder: PathBuf,
    /// Where to compute
    #[arg(long, default_value = "auto")]
    pub(crate) device: DeviceArg,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// A word for what to save, as in [`ExportFormat::word`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FormatArg(&'static str);

impl FormatArg {
    /// What is saved unless someone asks for something else.
    fn usual() -> Vec<Self> {
        Self::words(&ExportFormat::USUAL)
    }

    /// The words for formats, each once.
    fn words(formats: &[ExportFormat]) -> Vec<Self> {
        let mut words: Vec<Self> = formats.iter().map(|format| Self(format.word())).collect();
        words.dedup();
        words
    }

    /// What to write for these words, each format once.
    pub(crate) fn to_export(words: &[Self]) -> Vec<ExportFormat> {
        let is_wanted = |format: &ExportFormat| words.contains(&Self(format.word()));
        ExportFormat::ALL.into_iter().filter(is_wanted).collect()
    }

    /// As [`Self::to_export`], and the record.
    pub(crate) fn to_export_with_record(words: &[Self]) -> Vec<ExportFormat> {
        Self::to_export(&[words, &[Self(ExportFormat::Record.word())]].concat())
    }
}

impl std::str::FromStr for FormatArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = if text == "tiff" { "tif" } else { text };
        let words = Self::words(&ExportFormat::ALL);
        words.iter().copied().find(|word| word.0 == text).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|word| word.0).collect();
            format!("expected one of {}", words.join(", "))
        })
    }
}

impl std::fmt::Display for FormatArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Where coordinates of outlines are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FrameArg {
    /// As the program that a file is for counts
    Reader,
    /// From the corner of the whole slide, as OpenSlide and ASAP do
    Level0,
    /// From the corner of the scanned part, as QuPath does
    Bounds,
}

/// Where a file's coordinates are counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OriginArg {
    /// The corner of the whole slide
    Level0,
    /// The corner of the scanned part
    Bounds,
}

impl From<OriginArg> for OriginChoice {
    fn from(origin: OriginArg) -> Self {
        match origin {
            OriginArg::Level0 => Self::Slide,
            OriginArg::Bounds => Self::ScannedPart,
        }
    }
}

impl From<FrameArg> for FrameChoice {
    fn from(frame: FrameArg) -> Self {
        match frame {
            FrameArg::Reader => Self::ByReader,
            FrameArg::Level0 => Self::Level0,
            FrameArg::Bounds => Self::Bounds,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FinenessArg {
    /// A cell for a patch
    Patch,
    /// Cells of half a patch; four times the time
    HalfPatch,
    /// Cells of a quarter of a patch; sixteen times the time
    QuarterPatch,
}

impl From<FinenessArg> for Fineness {
    fn from(arg: FinenessArg) -> Self {
        match arg {
            FinenessArg::Patch => Self::Patch,
            FinenessArg::HalfPatch => Self::HalfPatch,
            FinenessArg::QuarterPatch => Self::QuarterPatch,
        }
    }
}

/// The words for every map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MapArg {
    /// Grad-CAM: the paper's
    GradCam,
    /// Grad-CAM++
    GradCamPlusPlus,
    /// Attention of the patch
    Attention,
    /// Attention above that of a uniform bag
    Lift,
    /// Attention score above the bag's mean, less peaked
    AttentionGate,
    /// The instance classifier
    Instance,
}

impl From<MapArg> for MapKind {
    fn from(map: MapArg) -> Self {
        match map {
            MapArg::GradCam => Self::GradCam,
            MapArg::GradCamPlusPlus => Self::GradCamPlusPlus,
            MapArg::Attention => Self::Attention,
            MapArg::Lift => Self::Lift,
            MapArg::AttentionGate => Self::AttentionGate,
            MapArg::Instance => Self::Instance,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeviceArg {
    /// The fastest that works on this machine
    Auto,
    /// All cores
    Cpu,
    /// The first NVIDIA GPU
    Cuda,
    /// The first Apple GPU
    Metal,
}

impl From<DeviceArg> for DeviceChoice {
    fn from(device: DeviceArg) -> Self {
        match device {
            DeviceArg::Auto => Self::Auto,
            DeviceArg::Cpu => Self::Cpu,
            DeviceArg::Cuda => Self::Cuda,
            DeviceArg::Metal => Self::Metal,
        }
    }
}

impl DeviceArg {
    /// What computes when this is asked for: a GPU that is missing is replaced by the CPU.
    pub(crate) fn name(self) -> &'static str {
        DeviceChoice::from(self).status().map_or("none", |it| it.name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitArg {
    /// What was learned from
    Train,
    /// What chose the best epoch
    Val,
    /// What was kept apart
    Test,
}

/// How much time a training is given.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum PresetArg {
    /// Few epochs: does it learn at all?
    Quick,
    /// As long as the shipped model was trained; 100 epochs of an encoder
    Balanced,
    /// Many epochs, further attempts at a model
    Thorough,
}

impl From<PresetArg> for Preset {
    fn from(preset: PresetArg) -> Self {
        match preset {
            PresetArg::Quick => Self::Quick,
            PresetArg::Balanced => Self::Balanced,
            PresetArg::Thorough => Self::Thorough,
        }
    }
}

/// Which patches a pre-training learns from.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SelectionArg {
    /// Those with the most energy in their edges
    Wavelet,
    /// As many, drawn at random
    Random,
}

impl From<SelectionArg> for Choice {
    fn from(selection: SelectionArg) -> Self {
        match selection {
            SelectionArg::Wavelet => Self::Wavelet,
            SelectionArg::Random => Self::Random,
        }
    }
}

impl From<SplitArg> for Split {
    fn from(split: SplitArg) -> Self {
        match split {
            SplitArg::Train => Self::Train,
            SplitArg::Val => Self::Val,
            SplitArg::Test => Self::Test,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StageArg {
    /// From slide labels to a heatmap
    Fmamil,
    /// From heatmaps to sharper masks
    Camseg,
}

/// A word for a format that needs no model's result.
fn annotation_format(text: &str) -> Result<FormatArg, String> {
    let word = text.parse::<FormatArg>()?;
    let is_of_annotations = |it: &ExportFormat| it.is_of_annotations();
    match FormatArg::to_export(&[word]).iter().all(is_of_annotations) {
        true => Ok(word),
        false => Err("it needs a model's result; use `predict`".to_owned()),
    }
}

fn threshold(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if 0.0 < value && value <= 100.0 => Ok(value),
        _ => Err("expected a number above 0, at most 100".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_record_is_written_whatever_else_is_asked_for() {
        use ExportFormat::{GeoJson, Record};
        let words = |text: &str| -> Vec<FormatArg> {
            text.split(',').map(|word| word.parse().unwrap()).collect()
        };
        assert_eq!(FormatArg::to_export_with_record(&words("geojson")), [GeoJson, Record]);
        assert_eq!(FormatArg::to_export_with_record(&words("json,json")), [Record]);
        assert_eq!(FormatArg::to_export(&FormatArg::usual()), ExportFormat::USUAL);
    }

    #[test]
    fn every_format_has_a_word_and_an_unknown_word_is_answered_with_all_of_them() {
        for format in ExportFormat::ALL {
            let word = format.word().parse().unwrap();
            assert!(FormatArg::to_export(&[word]).contains(&format));
        }
        assert!("svg".parse::<FormatArg>().unwrap_err().contains("geojson, asap"));
    }

    #[test]
    fn a_threshold_outside_its_range_is_refused() {
        assert_eq!(threshold("0.25"), Ok(0.25));
        assert!(["1.5", "-0.1", "NaN", "half"].iter().all(|text| threshold(text).is_err()));
    }
}
