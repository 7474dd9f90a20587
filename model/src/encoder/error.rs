//! Why an encoder could not be loaded or run.

/// What was wrong, what was expected and what was found. Holds no path.
#[derive(Debug, thiserror::Error)]
pub enum EncoderError {
    /// The user stopped it.
    #[error(transparent)]
    Cancelled(#[from] domain::progress::Cancelled),
    /// No encoder of that name ships with the program or lies beside those that do.
    #[error("there is no encoder `{name}`; known are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Names of those that ship.
        known: String,
    },
    /// The program was moved without its files.
    #[error("the assets folder, which holds the encoders, was not found")]
    NoAssets,
    /// The weights file could not be read.
    #[error("the encoder's weights cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// Not a whole SafeTensors file.
    #[error("the encoder's weights are not a valid SafeTensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// Weights of a network that this program does not run.
    #[error(
        "expected an encoder of architecture resnet50, tf_efficientnet_lite0 or wise-mae, found {0}"
    )]
    Architecture(String),
    /// A line of the file's own description makes no sense.
    #[error("the encoder's weights say `{key}` is `{value}`, which is not {expected}")]
    Metadata {
        /// Its name.
        key: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// A tensor that the network needs is not in the file.
    #[error("the encoder's weights lack the tensor `{0}`")]
    MissingTensor(String),
    /// Tensors that the network has no place for.
    #[error("the encoder's weights hold {count} tensors too many (first: `{first}`)")]
    UnexpectedTensors {
        /// How many.
        count: usize,
        /// The first by name.
        first: String,
    },
    /// A tensor of another shape.
    #[error("tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Which tensor.
        name: String,
        /// The network's shape.
        expected: Vec<usize>,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// A tensor of another number type.
    #[error("tensor `{name}`: expected f32, f16 or bf16, found {found}")]
    NumberType {
        /// Which tensor.
        name: String,
        /// The file's type.
        found: String,
    },
    /// A tensor with NaN, infinite values, or a variance that is not positive.
    #[error("tensor `{0}` holds values that no trained network has (not finite)")]
    NotFinite(String),
    /// The patches do not fill a batch.
    #[error("expected a whole number of {side_px} x {side_px} RGB patches, found {found} bytes")]
    Batch {
        /// Side of one patch in pixels.
        side_px: u32,
        /// Length of the pixel buffer.
        found: usize,
    },
    /// An input side that the encoder does not know.
    #[error("this encoder looks at {expected} px alone, found an input of {found} px")]
    TrainedSize {
        /// What it was trained on.
        expected: u32,
        /// The side asked for.
        found: u32,
    },
    /// A folder of the user's encoders that cannot be used.
    #[error("the encoder folder cannot be used: {0}")]
    Folder(String),
    /// The computation failed.
    #[error("the encoder failed: {0}")]
    Compute(String),
    /// An input side that makes no sense for a patch.
    #[error("expected an encoder input of 1 to {max} px, found {found} px")]
    InputSize {
        /// The largest side allowed.
        max: u32,
        /// The side asked for.
        found: u32,
    },
}
