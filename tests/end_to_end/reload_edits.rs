//! Ways in which files are edited (in place, by rename, by symbolic links), several rounds each, under load.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::Path,
};

use crate::{folder::Folder, pause, reload::Scene};

/// Edits `kong.yaml` several times in one way; each version must be served, and no request may fail.
#[track_caller]
fn check(edit: impl Fn(&Path, &str)) {
    let scene = Scene::start();
    check_rounds(scene, edit);
}

#[track_caller]
fn check_rounds(scene: Scene, edit: impl Fn(&Path, &str)) {
    let file = scene.gateway.folder.at("kong.yaml");
    for n in 2..=5 {
        edit(&file, &scene.text(n));
        scene.serves(n);
    }
    let gateway = scene.end(5);
    assert_eq!(gateway.status()["configuration"]["last_error"], serde_json::Value::Null);
}

/// The file with this name in the directory of `kong.yaml`.
fn sibling(file: &Path, name: &str) -> std::path::PathBuf {
    file.parent().unwrap().join(name)
}

#[test]
fn an_edit_in_place_is_loaded() {
    check(|file, text| fs::write(file, text).unwrap());
}

#[test]
fn a_slow_edit_in_place_is_loaded() {
    check(|file, text| {
        let mut open = OpenOptions::new().write(true).truncate(true).open(file).unwrap();
        // One line at a time, as an editor does on a slow disk, within a second.
        for line in text.split_inclusive('\n') {
            open.write_all(line.as_bytes()).unwrap();
            pause(15);
        }
    });
}

#[test]
fn an_edit_with_the_same_length_and_time_is_loaded() {
    let scene = Scene::start();
    check_rounds(scene, |file, text| {
        let time = fs::metadata(file).unwrap().modified().unwrap();
        let mut open = OpenOptions::new().write(true).open(file).unwrap();
        open.write_all(text.as_bytes()).unwrap();
        open.set_modified(time).unwrap();
    });
}

#[test]
fn a_rename_is_loaded() {
    check(|file, text| {
        let new = sibling(file, ".kong.yaml.tmp");
        fs::write(&new, text).unwrap();
        fs::rename(new, file).unwrap();
    });
}

#[test]
fn an_edit_by_sed_is_loaded() {
    check(|file, text| {
        let new = sibling(file, "sedXyZ123");
        fs::write(&new, "").unwrap();
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::metadata(file).unwrap().permissions()).unwrap();
        fs::rename(new, file).unwrap();
    });
}

#[test]
fn an_edit_by_vim_with_a_new_file_is_loaded() {
    check(|file, text| {
        let (probe, backup) = (sibling(file, "4913"), sibling(file, "kong.yaml~"));
        fs::write(&probe, "").unwrap();
        fs::remove_file(&probe).unwrap();
        fs::rename(file, &backup).unwrap();
        fs::write(file, text).unwrap();
        fs::remove_file(backup).unwrap();
    });
}

#[test]
fn an_edit_by_vim_with_a_copy_is_loaded() {
    check(|file, text| {
        let backup = sibling(file, "kong.yaml~");
        fs::copy(file, &backup).unwrap();
        fs::write(file, text).unwrap();
        fs::remove_file(backup).unwrap();
    });
}

#[test]
fn an_edit_by_emacs_is_loaded() {
    check(|file, text| {
        let (lock, backup) = (sibling(file, ".#kong.yaml"), sibling(file, "kong.yaml~"));
        symlink("user@host.1:1", &lock).unwrap();
        fs::rename(file, &backup).unwrap();
        fs::write(file, text).unwrap();
        fs::remove_file(lock).unwrap();
    });
}

#[test]
fn a_file_deleted_and_created_is_loaded() {
    check(|file, text| {
        fs::remove_file(file).unwrap();
        fs::write(file, text).unwrap();
    });
}

#[test]
fn a_file_deleted_for_a_while_is_loaded() {
    let scene = Scene::start();
    for n in 2..=3 {
        fs::remove_file(scene.gateway.folder.at("kong.yaml")).unwrap();
        scene.gateway.wait_for_log("cannot read the configuration: No such file");
        scene.serves_more_requests();
        assert_eq!(scene.current(), n - 1);
        scene.gateway.folder.write("kong.yaml", scene.text(n));
        scene.serves(n);
    }
    scene.end(3);
}

#[test]
fn a_hard_link_is_loaded() {
    check(|file, text| {
        let new = sibling(file, "next.yaml");
        fs::write(&new, text).unwrap();
        fs::remove_file(file).unwrap();
        fs::hard_link(&new, file).unwrap();
        fs::remove_file(new).unwrap();
    });
}

#[test]
fn many_edits_in_a_row_are_loaded() {
    let scene = Scene::start();
    let file = scene.gateway.folder.at("kong.yaml");
    for n in 2..=60 {
        let new = sibling(&file, "next.yaml");
        fs::write(&new, scene.text(n)).unwrap();
        fs::rename(new, &file).unwrap();
        pause(5);
    }
    scene.serves(60);
    scene.end(60);
}

#[test]
fn an_edit_among_other_files_is_loaded() {
    check(|file, text| {
        for n in 0..100 {
            fs::write(sibling(file, &format!("noise-{n}")), "noise").unwrap();
        }
        fs::write(file, text).unwrap();
        for n in 0..100 {
            fs::remove_file(sibling(file, &format!("noise-{n}"))).unwrap();
        }
    });
}

#[test]
fn a_link_to_another_file_is_loaded() {
    let scene = Scene::arranged(
        |setup, first| {
            let setup = setup.file("releases/1.yaml", first);
            symlink("releases/1.yaml", setup.folder.at("kong.yaml")).unwrap();
            setup
        },
        &[],
    );
    let folder = &scene.gateway.folder;
    for n in 2..=4 {
        folder.write(&format!("releases/{n}.yaml"), scene.text(n));
        symlink(format!("releases/{n}.yaml"), folder.at("kong.yaml.new")).unwrap();
        fs::rename(folder.at("kong.yaml.new"), folder.at("kong.yaml")).unwrap();
        scene.serves(n);
    }
    // Also the link target, in place.
    folder.write("releases/4.yaml", scene.text(5));
    scene.serves(5);
    scene.end(5);
}

#[test]
fn a_link_to_another_directory_is_loaded() {
    let scene = Scene::arranged(
        |setup, first| {
            let setup = setup.file("1/kong.yaml", first);
            symlink("1", setup.folder.at("current")).unwrap();
            symlink("current/kong.yaml", setup.folder.at("kong.yaml")).unwrap();
            setup
        },
        &[],
    );
    let folder = &scene.gateway.folder;
    for n in 2..=5 {
        folder.write(&format!("{n}/kong.yaml"), scene.text(n));
        symlink(n.to_string(), folder.at("next")).unwrap();
        fs::rename(folder.at("next"), folder.at("current")).unwrap();
        scene.serves(n);
    }
    scene.end(5);
}

#[test]
fn a_replaced_directory_is_loaded() {
    let scene = Scene::arranged(|setup, first| setup.file("conf/kong.yaml", first), &["conf/kong.yaml"]);
    let folder = &scene.gateway.folder;
    for n in 2..=5 {
        folder.write("next/kong.yaml", scene.text(n));
        fs::rename(folder.at("conf"), folder.at(&format!("old-{n}"))).unwrap();
        fs::rename(folder.at("next"), folder.at("conf")).unwrap();
        scene.serves(n);
    }
    scene.end(5);
}

/// Updates a mounted `ConfigMap` as kubelet does: creates a new directory, renames a link to it over `..data`,
/// removes the old directory.
pub(crate) fn update_config_map(folder: &Folder, n: u64, files: &[(&str, String)]) {
    let fresh = format!("..2026_01_01_00_00_00.{n}");
    for (name, text) in files {
        folder.write(&format!("{fresh}/{name}"), text);
    }
    let old = fs::read_link(folder.at("..data")).ok();
    symlink(&fresh, folder.at("..data_tmp")).unwrap();
    fs::rename(folder.at("..data_tmp"), folder.at("..data")).unwrap();
    for (name, _) in files {
        let link = folder.at(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(format!("..data/{name}"), link).unwrap();
        }
    }
    if let Some(old) = old {
        fs::remove_dir_all(folder.path().join(old)).unwrap();
    }
}

#[test]
fn an_updated_config_map_is_loaded() {
    let arrange = |setup: crate::gateway::Setup, first: &str| {
        update_config_map(&setup.folder, 1, &[("kong.yaml", first.to_owned())]);
        setup
    };
    let scene = Scene::arranged(arrange, &[]);
    for n in 2..=6 {
        update_config_map(&scene.gateway.folder, n, &[("kong.yaml", scene.text(n))]);
        scene.serves(n);
    }
    scene.end(6);
}
