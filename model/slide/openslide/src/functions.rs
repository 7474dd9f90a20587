//! The sixteen functions that are called, as `openslide.h` declares them.

use std::ffi::{OsStr, c_char, c_double, c_void};

use libloading::Library;

/// An open slide of the library, seen only through pointers.
#[repr(C)]
pub(crate) struct Handle {
    opaque: [u8; 0],
}

type Name = *const c_char;

/// Pointers into the library, which `library` keeps loaded.
pub(crate) struct Functions {
    pub(crate) version: unsafe extern "C" fn() -> Name,
    pub(crate) detect_vendor: unsafe extern "C" fn(Name) -> Name,
    pub(crate) open: unsafe extern "C" fn(Name) -> *mut Handle,
    pub(crate) close: unsafe extern "C" fn(*mut Handle),
    pub(crate) error: unsafe extern "C" fn(*mut Handle) -> Name,
    pub(crate) level_count: unsafe extern "C" fn(*mut Handle) -> i32,
    pub(crate) level_dimensions: unsafe extern "C" fn(*mut Handle, i32, *mut i64, *mut i64),
    pub(crate) level_downsample: unsafe extern "C" fn(*mut Handle, i32) -> c_double,
    pub(crate) read_region: unsafe extern "C" fn(*mut Handle, *mut u32, i64, i64, i32, i64, i64),
    pub(crate) property_names: unsafe extern "C" fn(*mut Handle) -> *const Name,
    pub(crate) property_value: unsafe extern "C" fn(*mut Handle, Name) -> Name,
    pub(crate) picture_names: unsafe extern "C" fn(*mut Handle) -> *const Name,
    pub(crate) picture_dimensions: unsafe extern "C" fn(*mut Handle, Name, *mut i64, *mut i64),
    pub(crate) read_picture: unsafe extern "C" fn(*mut Handle, Name, *mut u32),
    /// Since OpenSlide 4.
    pub(crate) profile_size: Option<unsafe extern "C" fn(*mut Handle) -> i64>,
    /// Since OpenSlide 4.
    pub(crate) read_profile: Option<unsafe extern "C" fn(*mut Handle, *mut c_void)>,
    /// Last, so that it is unloaded after nothing points into it any more.
    _library: Library,
}

impl Functions {
    /// Loads a library and looks the functions up.
    pub(crate) fn load(name: &OsStr) -> Result<Self, libloading::Error> {
        // SAFETY: OpenSlide's initializers only set up its own and GLib's tables. That the file is OpenSlide is what
        // the user says by installing it under that name or by naming it.
        let library = unsafe { Library::new(name) }?;
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the type of the field is the declaration of the function in `openslide.h`.
                *unsafe { library.get(concat!("openslide_", $name, "\0").as_bytes()) }?
            };
            (optional $name:literal) => {
                // SAFETY: as above.
                unsafe { library.get(concat!("openslide_", $name, "\0").as_bytes()) }
                    .ok()
                    .map(|symbol| *symbol)
            };
        }
        Ok(Self {
            version: function!("get_version"),
            detect_vendor: function!("detect_vendor"),
            open: function!("open"),
            close: function!("close"),
            error: function!("get_error"),
            level_count: function!("get_level_count"),
            level_dimensions: function!("get_level_dimensions"),
            level_downsample: function!("get_level_downsample"),
            read_region: function!("read_region"),
            property_names: function!("get_property_names"),
            property_value: function!("get_property_value"),
            picture_names: function!("get_associated_image_names"),
            picture_dimensions: function!("get_associated_image_dimensions"),
            read_picture: function!("read_associated_image"),
            profile_size: function!(optional "get_icc_profile_size"),
            read_profile: function!(optional "read_icc_profile"),
            _library: library,
        })
    }
}
