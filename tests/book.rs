//! The pages of docs/ are a book, and no link in it is dead.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

#[test]
fn the_book_is_built_and_no_link_in_it_is_dead() {
    let mdbook =
        std::env::var_os("GATEPOST_MDBOOK").expect("GATEPOST_MDBOOK names mdBook: `make test-native` fetches it");
    let folder = TempDir::new().unwrap();
    let output = Command::new(mdbook).arg("build").arg(docs()).arg("--dest-dir").arg(folder.path()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !log.contains("ERROR") && !log.contains("WARN"), "{log}");

    let pages = pages(folder.path());
    assert!(pages.len() > 40, "{} pages", pages.len());
    let mut dead = Vec::new();
    for (page, text) in &pages {
        for link in attributes(text, "href").into_iter().chain(attributes(text, "src")) {
            if let Err(reason) = resolve(folder.path(), page, link, &pages) {
                dead.push(format!("{}: {link}: {reason}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    let mut missing = Vec::new();
    for folder in ["", "denials/"] {
        for entry in fs::read_dir(docs().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_page = name.ends_with(".md") && name != "SUMMARY.md";
            if is_page && !summary.contains(&format!("({folder}{name})")) {
                missing.push(format!("{folder}{name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// The links between the repository's own pages outside the book.
#[test]
fn no_link_of_the_repository_s_own_pages_is_dead() {
    let root = docs().join("..");
    let mut dead = Vec::new();
    for page in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "tests/scenarios/README.md"] {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let folder = root.join(page).parent().unwrap().to_owned();
        for rest in text.split("](").skip(1) {
            let target = rest.split(')').next().unwrap();
            let file = target.split('#').next().unwrap();
            let is_local = !file.is_empty() && !target.contains("://") && !target.contains(char::is_whitespace);
            if is_local && !folder.join(file).exists() {
                dead.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:?}");
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// The HTML files below a folder, by their paths in it.
fn pages(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "html") {
                let text = fs::read_to_string(&path).unwrap();
                pages.insert(path.strip_prefix(folder).unwrap().to_owned(), text);
            }
        }
    }
    // One page with all the others in it, for printing: its links are theirs. The other is shown for any address.
    pages.remove(Path::new("print.html"));
    pages.remove(Path::new("404.html"));
    pages
}

/// The values of an attribute in what mdBook writes.
fn attributes<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    text.split(&*start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn resolve(folder: &Path, page: &Path, link: &str, pages: &BTreeMap<PathBuf, String>) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
        return Ok(());
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { page.to_owned() } else { join(page.parent().unwrap(), file)? };
    if !folder.join(&target).is_file() && target != Path::new("print.html") {
        return Err("there is no such file".to_owned());
    }
    let (Some(anchor), Some(text)) = (anchor.filter(|anchor| !anchor.is_empty()), pages.get(&target)) else {
        return Ok(());
    };
    let ids: BTreeSet<_> = attributes(text, "id").into_iter().collect();
    if ids.contains(anchor) { Ok(()) } else { Err("there is no such anchor".to_owned()) }
}

/// A relative path, resolved; one that leaves the book is an error.
fn join(base: &Path, relative: &str) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    for part in base.join(relative).components() {
        match part {
            Component::ParentDir if !path.pop() => return Err("it leaves the book".to_owned()),
            Component::ParentDir | Component::CurDir => {}
            part => path.push(part),
        }
    }
    Ok(path)
}
