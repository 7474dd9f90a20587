//! One slide open in the library.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::path::Path;
use std::ptr::NonNull;

use crate::functions::Handle;
use crate::pixels::rgba;
use crate::{Error, Library, text};

/// An open slide. After an error the library refuses every further call on it: open it anew.
pub struct Slide {
    library: Library,
    handle: NonNull<Handle>,
}

// SAFETY: `openslide.h` allows every call but `openslide_close` from any thread; closing happens when the value is
// dropped, which no other thread can then use.
unsafe impl Send for Slide {}
// SAFETY: as above; all methods take `&self` and only read.
unsafe impl Sync for Slide {}

impl fmt::Debug for Slide {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slide").field("library", &self.library).finish_non_exhaustive()
    }
}

impl Slide {
    /// Opens a file; `None` if the library does not know its format.
    ///
    /// # Errors
    /// If the library knows the format and cannot open the file, or the path holds a zero byte.
    pub fn open(library: &Library, path: &Path) -> Result<Option<Self>, Error> {
        let path = c_path(path)?;
        // SAFETY: the path is a string that ends with a zero and lives through the call.
        let vendor = unsafe { (library.functions.detect_vendor)(path.as_ptr()) };
        if vendor.is_null() {
            return Ok(None);
        }
        // SAFETY: as above.
        let handle = unsafe { (library.functions.open)(path.as_ptr()) };
        let handle = NonNull::new(handle)
            .ok_or_else(|| Error("OpenSlide does not open the file".to_owned()))?;
        let slide = Self { library: library.clone(), handle };
        slide.check()?;
        Ok(Some(slide))
    }

    /// Width and height of every level, finest first.
    ///
    /// # Errors
    /// If the library fails.
    pub fn levels(&self) -> Result<Vec<(u64, u64)>, Error> {
        // SAFETY: the handle is open.
        let count = unsafe { (self.library.functions.level_count)(self.handle.as_ptr()) };
        let mut levels = Vec::new();
        for level in 0..count {
            let (mut width, mut height) = (0, 0);
            let get = self.library.functions.level_dimensions;
            // SAFETY: the handle is open and both pointers are to integers of ours.
            unsafe { get(self.handle.as_ptr(), level, &raw mut width, &raw mut height) };
            levels.push((width, height));
        }
        self.check()?;
        levels
            .into_iter()
            .map(|(width, height)| Ok((positive(width)?, positive(height)?)))
            .collect()
    }

    /// Level-0 pixels per pixel of a level.
    pub fn downsample(&self, level: i32) -> f64 {
        // SAFETY: the handle is open; the library answers -1 for a level that is not there.
        unsafe { (self.library.functions.level_downsample)(self.handle.as_ptr(), level) }
    }

    /// Reads `width` x `height` pixels of a level as RGBA; `(x, y)` is their corner in pixels of level 0.
    ///
    /// # Errors
    /// If the library fails.
    pub fn read_region(
        &self,
        level: i32,
        (x, y): (i64, i64),
        (width, height): (u32, u32),
    ) -> Result<Vec<u8>, Error> {
        let mut pixels = buffer(width.into(), height.into())?;
        let read = self.library.functions.read_region;
        let (width, height) = (width.into(), height.into());
        // SAFETY: the handle is open, and the buffer holds one word for each of `width` x `height` pixels.
        unsafe {
            read(self.handle.as_ptr(), pixels.as_mut_ptr(), x, y, level, width, height);
        };
        self.check()?;
        Ok(rgba(&pixels))
    }

    /// All properties by name.
    pub fn properties(&self) -> BTreeMap<String, String> {
        // SAFETY: the handle is open.
        let names = unsafe { (self.library.functions.property_names)(self.handle.as_ptr()) };
        let value = |name: &CString| {
            let get = self.library.functions.property_value;
            // SAFETY: the handle is open, and the name is a string that ends with a zero.
            text(unsafe { get(self.handle.as_ptr(), name.as_ptr()) })
        };
        list(names).iter().map(|name| (name.to_string_lossy().into_owned(), value(name))).collect()
    }

    /// Name, width and height of every picture beside the slide.
    ///
    /// # Errors
    /// If the library fails.
    pub fn pictures(&self) -> Result<Vec<(String, u64, u64)>, Error> {
        // SAFETY: the handle is open.
        let names = unsafe { (self.library.functions.picture_names)(self.handle.as_ptr()) };
        let mut pictures = Vec::new();
        for name in list(names) {
            let (width, height) = self.picture_size(&name)?;
            pictures.push((name.to_string_lossy().into_owned(), width, height));
        }
        Ok(pictures)
    }

    /// Reads a picture beside the slide as RGBA.
    ///
    /// # Errors
    /// If there is none of that name, or the library fails.
    pub fn read_picture(&self, name: &str) -> Result<Vec<u8>, Error> {
        let name = CString::new(name).map_err(|error| Error(error.to_string()))?;
        let (width, height) = self.picture_size(&name)?;
        let mut pixels = buffer(width, height)?;
        let read = self.library.functions.read_picture;
        // SAFETY: the handle is open, the name ends with a zero, and the buffer holds one word for each pixel.
        unsafe { read(self.handle.as_ptr(), name.as_ptr(), pixels.as_mut_ptr()) };
        self.check()?;
        Ok(rgba(&pixels))
    }

    /// The ICC profile of the levels; `None` if there is none, or the library is older than version 4.
    ///
    /// # Errors
    /// If the library fails.
    pub fn icc_profile(&self) -> Result<Option<Vec<u8>>, Error> {
        let functions = &self.library.functions;
        let (Some(size), Some(read)) = (functions.profile_size, functions.read_profile) else {
            return Ok(None);
        };
        // SAFETY: the handle is open.
        let n_bytes = unsafe { size(self.handle.as_ptr()) };
        let Some(n_bytes) = usize::try_from(n_bytes).ok().filter(|n| (1..1 << 24).contains(n))
        else {
            return Ok(None);
        };
        let mut profile = vec![0_u8; n_bytes];
        // SAFETY: the handle is open, and the buffer is as long as the library says.
        unsafe { read(self.handle.as_ptr(), profile.as_mut_ptr().cast()) };
        self.check()?;
        Ok(Some(profile))
    }

    fn picture_size(&self, name: &CStr) -> Result<(u64, u64), Error> {
        let (mut width, mut height) = (-1, -1);
        let get = self.library.functions.picture_dimensions;
        // SAFETY: the handle is open, the name ends with a zero, and both pointers are to integers of ours.
        unsafe { get(self.handle.as_ptr(), name.as_ptr(), &raw mut width, &raw mut height) };
        self.check()?;
        Ok((positive(width)?, positive(height)?))
    }

    /// The error that the handle stands in, if any.
    fn check(&self) -> Result<(), Error> {
        // SAFETY: the handle is open.
        let error = unsafe { (self.library.functions.error)(self.handle.as_ptr()) };
        if error.is_null() { Ok(()) } else { Err(Error(text(error))) }
    }
}

impl Drop for Slide {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody uses it after this.
        unsafe { (self.library.functions.close)(self.handle.as_ptr()) };
    }
}

/// Copies a list of strings that ends with a null pointer.
fn list(mut names: *const *const c_char) -> Vec<CString> {
    let mut copies = Vec::new();
    while !names.is_null() {
        // SAFETY: the list ends with a null pointer, before which this stops.
        let name = unsafe { *names };
        if name.is_null() {
            break;
        }
        // SAFETY: every name is a string that ends with a zero and lives as long as the handle.
        copies.push(unsafe { CStr::from_ptr(name) }.to_owned());
        // SAFETY: the end has not been reached, so the next pointer belongs to the list.
        names = unsafe { names.add(1) };
    }
    copies
}

fn buffer(width: u64, height: u64) -> Result<Vec<u32>, Error> {
    const MAX_PIXELS: u64 = 1 << 28;
    let n_pixels = width.checked_mul(height).filter(|&n| n <= MAX_PIXELS);
    let n_pixels = n_pixels.and_then(|n| usize::try_from(n).ok());
    n_pixels.map(|n| vec![0; n]).ok_or_else(|| Error("a picture is too large".to_owned()))
}

fn positive(side: i64) -> Result<u64, Error> {
    u64::try_from(side).map_err(|_negative| Error("a picture has no size".to_owned()))
}

#[cfg(unix)]
fn c_path(path: &Path) -> Result<CString, Error> {
    use std::os::unix::ffi::OsStrExt as _;
    CString::new(path.as_os_str().as_bytes()).map_err(|error| Error(error.to_string()))
}

/// The library takes paths as UTF-8 on Windows.
#[cfg(windows)]
fn c_path(path: &Path) -> Result<CString, Error> {
    let path = path.to_str().ok_or_else(|| Error("the path is not Unicode".to_owned()))?;
    CString::new(path).map_err(|error| Error(error.to_string()))
}
