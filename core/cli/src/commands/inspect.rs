//! `xbench inspect`.

use std::path::{Path, PathBuf};

use serde_json::json;
use xbench_record::{ExitCode, write_file};
use xbench_report::{
    BarChart, Cell, DecisionTree, ImportanceMap, Table, TableColumn, TreeNode, TreeSplit,
    bar_image, encode_png, importance_image, tree_image, tree_svg,
};
use xbench_run::{Importance, InspectRequest, Inspected, RunError};

use crate::args::{Format, InspectArgs};
use crate::progress::Progress;
use crate::terminal::{emit, emit_json, style};

/// Features in the terminal's table and in the bar chart.
const MOST_FEATURES: usize = 30;

pub(crate) fn inspect(args: &InspectArgs) -> Result<ExitCode, RunError> {
    let request = InspectRequest {
        model: args.model.clone(),
        data: args.data.clone(),
        preset: args.preset.clone(),
        weights: args.weights.clone(),
        search: (&args.search).into(),
    };
    let found = xbench_run::inspect(&request, &Progress::new(args.quiet))?;
    let importance = found.importance();
    std::fs::create_dir_all(&args.out)
        .map_err(|error| RunError::Files(format!("{}: {error}", args.out.display())))?;
    let mut files = vec![
        keep(
            &args.out,
            "importance.csv",
            importance_csv(&importance).as_bytes(),
        )?,
        keep(
            &args.out,
            "importance.png",
            &importance_png(&found, &importance)?,
        )?,
    ];
    if let Some(number) = args.tree {
        let tree = tree(&found, number)?;
        let depth = usize::from(args.depth);
        let drawn =
            |error: &dyn std::fmt::Display| RunError::Files(format!("tree {number}: {error}"));
        let svg = tree_svg(&tree, depth).map_err(|error| drawn(&error))?;
        let png = tree_image(&tree, depth).map_err(|error| drawn(&error))?;
        let png = encode_png(&png).map_err(|error| drawn(&error))?;
        files.push(keep(
            &args.out,
            &format!("tree-{number}.svg"),
            svg.as_bytes(),
        )?);
        files.push(keep(&args.out, &format!("tree-{number}.png"), &png)?);
    }
    match args.format {
        Format::Json => emit_json(&json!({
            "model": found.model,
            "trees": found.trees.roots.len(),
            "nodes": found.trees.num_nodes(),
            "features": found.trees.num_features,
            "outputs": found.trees.num_outputs,
            "importance": importance,
            "files": files,
        }))?,
        Format::Text => emit(&text(&found, &importance, &files))?,
    }
    Ok(ExitCode::Fine)
}

fn keep(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, RunError> {
    let path = folder.join(name);
    write_file(&path, bytes).map_err(|error| RunError::Files(error.to_string()))?;
    Ok(path)
}

fn text(found: &Inspected, importance: &[Importance], files: &[PathBuf]) -> String {
    let mut order: Vec<&Importance> = importance.iter().filter(|one| one.splits > 0).collect();
    order.sort_by(|a, b| b.total_gain.total_cmp(&a.total_gain));
    let mut table = Table::new(vec![
        TableColumn::left("feature"),
        TableColumn::right("splits"),
        TableColumn::right("mean gain"),
        TableColumn::right("total gain"),
        TableColumn::right("mean cover"),
    ]);
    for one in order.iter().take(MOST_FEATURES) {
        table.row(vec![
            Cell::new(one.feature.clone()),
            Cell::new(one.splits.to_string()),
            Cell::new(format!("{:.4}", one.gain)),
            Cell::new(format!("{:.4}", one.total_gain)),
            Cell::new(format!("{:.1}", one.cover)),
        ]);
    }
    let mut text = format!(
        "{}: {} trees, {} nodes; {} of {} features are used\n{}",
        found.model,
        found.trees.roots.len(),
        found.trees.num_nodes(),
        order.len(),
        importance.len(),
        table.render(&style())
    );
    for file in files {
        text.push_str(&format!("\n{}", file.display()));
    }
    text
}

fn importance_csv(importance: &[Importance]) -> String {
    let mut text = String::from("feature,splits,gain,cover,total_gain,total_cover\n");
    for one in importance {
        let name = one.feature.replace('"', "\"\"");
        text.push_str(&format!(
            "\"{name}\",{},{},{},{},{}\n",
            one.splits, one.gain, one.cover, one.total_gain, one.total_cover
        ));
    }
    text
}

/// A picture of 28×28, say, for images of one channel; bars for tables.
fn importance_png(found: &Inspected, importance: &[Importance]) -> Result<Vec<u8>, RunError> {
    let title = format!("{}: importance of features", found.model);
    let image = match found.shape[..] {
        [1, height, width] => importance_image(&ImportanceMap {
            title,
            unit: "mean gain of a split".to_owned(),
            values: importance.iter().map(|one| one.gain).collect(),
            height,
            width,
        }),
        _ => {
            let values: Vec<(String, f64)> = importance
                .iter()
                .map(|one| (one.feature.clone(), one.total_gain))
                .collect();
            let chart =
                BarChart::sorted(&title, "total gain of its splits", &values, MOST_FEATURES);
            bar_image(&chart)
        }
    };
    image
        .and_then(|image| encode_png(&image))
        .map_err(|error| RunError::Files(format!("the picture of importance: {error}")))
}

/// One tree of the ensemble, to be drawn.
fn tree(found: &Inspected, number: usize) -> Result<DecisionTree, RunError> {
    let trees = &found.trees;
    let count = trees.roots.len();
    let Some(&root) = trees.roots.get(number) else {
        return Err(RunError::Flag(format!(
            "there is no tree {number}; {} has {count}, counted from 0",
            found.model
        )));
    };
    let root = root as usize;
    let end = trees
        .roots
        .get(number + 1)
        .map_or(trees.num_nodes(), |&next| next as usize);
    let output = trees.tree_output[number];
    let width = trees.leaf_values();
    // A forest's leaves are divided by the number of its trees.
    let scale = if output < 0 { count as f64 } else { 1.0 };
    let mut nodes: Vec<TreeNode> = (root..end)
        .map(|node| TreeNode {
            split: usize::try_from(trees.feature[node])
                .ok()
                .map(|feature| TreeSplit {
                    feature: found.feature_name(feature),
                    threshold: f64::from(trees.threshold[node]),
                    strict: trees.strict,
                    yes: trees.left[node] as usize - root,
                    no: trees.right[node] as usize - root,
                }),
            cover: f64::from(trees.cover[node]),
            values: trees.value[node * width..(node + 1) * width]
                .iter()
                .map(|&value| f64::from(value) * scale)
                .collect(),
        })
        .collect();
    if output >= 0 {
        // What the leaves add; an inner node adds nothing, and does not say 0.
        for node in &mut nodes {
            if node.split.is_some() {
                node.values.clear();
            }
        }
    } else {
        // Shares of the classes in an inner node: those of its children, weighted by cover.
        for node in (0..nodes.len()).rev() {
            if let Some(split) = &nodes[node].split {
                let (yes, no) = (&nodes[split.yes], &nodes[split.no]);
                let whole = (yes.cover + no.cover).max(f64::MIN_POSITIVE);
                let values = yes.values.iter().zip(&no.values);
                nodes[node].values = values
                    .map(|(a, b)| (a * yes.cover + b * no.cover) / whole)
                    .collect();
            }
        }
    }
    let what = match usize::try_from(output) {
        Ok(class) => match found.classes.get(class) {
            Some(name) => format!(" (adds to {name})"),
            None => format!(" (adds to output {class})"),
        },
        Err(_) => String::new(),
    };
    Ok(DecisionTree {
        title: format!("{}: tree {number} of {count}{what}", found.model),
        classes: if output < 0 {
            found.classes.clone()
        } else {
            Vec::new()
        },
        cover_name: if output < 0 {
            "samples"
        } else {
            "sum of Hessians"
        }
        .to_owned(),
        nodes,
    })
}
