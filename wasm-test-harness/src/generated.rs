//! Pages that are made from the code, and kept in the repository.

use std::{collections::BTreeSet, fs, path::Path};

/// Keeps the pages in step with what they are made from. `GATEPOST_PAGES=accept` (`make pages`) writes them.
///
/// `folder` holds nothing but pages of this kind: what is in it and not among them is left over.
///
/// # Panics
///
/// If a page differs, is missing, or is left over.
pub fn keep(folder: Option<&str>, pages: &[(String, String)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let accept = std::env::var("GATEPOST_PAGES").is_ok_and(|value| value == "accept");
    if let Some(folder) = folder {
        let folder = root.join(folder);
        let names: BTreeSet<_> = pages.iter().map(|(path, _)| root.join(path)).collect();
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if !names.contains(&path) && accept {
                fs::remove_file(&path).unwrap();
            } else {
                assert!(names.contains(&path), "{}: nothing makes this page any more: `make pages`", path.display());
            }
        }
        fs::create_dir_all(&folder).unwrap();
    }
    for (path, content) in pages {
        let file = root.join(path);
        if accept {
            fs::write(&file, content).unwrap();
        } else {
            let is =
                fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}: `make pages` writes it"));
            let line = is.lines().zip(content.lines()).position(|(is, made)| is != made);
            assert!(
                is == *content,
                "{path} is not what the code says (line {:?}): `make pages`",
                line.map(|line| line + 1)
            );
        }
    }
}
