//! `xbench plugin list` and `xbench plugin info`.

use serde_json::json;
use xbench_host::{Catalog, Kind, PluginInfo};
use xbench_record::ExitCode;
use xbench_report::{PluginRow, plugins_text};
use xbench_run::{Bench, RunError};

use crate::args::{Format, PluginCommand};
use crate::terminal::{emit, emit_json, style};

pub(crate) fn plugin(command: &PluginCommand) -> Result<ExitCode, RunError> {
    match command {
        PluginCommand::List { format, search } => {
            let bench = Bench::open(&search.into(), &[])?;
            list(bench.catalog(), *format)
        }
        PluginCommand::Info {
            name,
            format,
            search,
        } => {
            let bench = Bench::open(&search.into(), &[])?;
            info(bench.catalog(), name, *format)
        }
    }
}

fn list(catalog: &Catalog, format: Format) -> Result<ExitCode, RunError> {
    match format {
        Format::Json => emit_json(&json!({
            "plugins": catalog.plugins(),
            "problems": catalog.problems(),
        }))?,
        Format::Text => {
            let mut rows: Vec<PluginRow> = catalog
                .plugins()
                .iter()
                .map(|plugin| row(catalog, plugin))
                .collect();
            rows.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
            rows.extend(catalog.problems().iter().map(|problem| PluginRow {
                kind: "refused".to_owned(),
                id: String::new(),
                version: String::new(),
                capabilities: Vec::new(),
                about: String::new(),
                library: problem.folder.display().to_string(),
                refused: Some(problem.message.clone()),
            }));
            if rows.is_empty() {
                return Err(RunError::NothingSelected(
                    "no plugins were found; `cargo xbench plugin list` builds the standard ones, \
                     --plugin-path and XBENCH_PLUGIN_PATH name folders"
                        .to_owned(),
                ));
            }
            emit(&plugins_text(&rows, &style()))?;
        }
    }
    Ok(ExitCode::Fine)
}

/// A plugin by its short name, where that is enough to name it.
fn row(catalog: &Catalog, plugin: &PluginInfo) -> PluginRow {
    let mut others = catalog.plugins().iter();
    let alone = !others.any(|other| {
        other.short == plugin.short && other.kind == plugin.kind && other.id != plugin.id
    });
    let kind = if plugin.flags.control {
        "control"
    } else {
        plugin.kind.as_str()
    };
    PluginRow {
        kind: kind.to_owned(),
        id: if alone {
            plugin.short.clone()
        } else {
            plugin.id.clone()
        },
        version: plugin.version.clone(),
        // What sets plugins of a kind apart: what a model offers, what an explainer asks for.
        capabilities: short_names(match plugin.kind {
            Kind::Model => &plugin.provides,
            Kind::Explainer => &plugin.requires_model,
        }),
        about: plugin.summary.clone(),
        library: plugin
            .folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        refused: None,
    }
}

/// `xbench.model.vjp/1` as `vjp`.
fn short_names(capabilities: &[String]) -> Vec<String> {
    let short = |id: &str| {
        let name = id.split('/').next().unwrap_or(id);
        name.rsplit('.').next().unwrap_or(name).to_owned()
    };
    let either = |id: &String| id.split('|').map(short).collect::<Vec<_>>().join(" or ");
    capabilities.iter().map(either).collect()
}

fn info(catalog: &Catalog, name: &str, format: Format) -> Result<ExitCode, RunError> {
    let found: Vec<&PluginInfo> = catalog
        .plugins()
        .iter()
        .filter(|plugin| plugin.id == name || plugin.short == name)
        .collect();
    if found.is_empty() {
        let known: Vec<&str> = catalog
            .plugins()
            .iter()
            .map(|plugin| plugin.short.as_str())
            .collect();
        return Err(RunError::Flag(format!(
            "there is no plugin '{name}'; there are {}",
            known.join(", ")
        )));
    }
    if format == Format::Json {
        emit_json(&found)?;
        return Ok(ExitCode::Fine);
    }
    let mut text = String::new();
    for plugin in found {
        text.push_str(&describe(plugin));
    }
    emit(&text)?;
    Ok(ExitCode::Fine)
}

fn describe(plugin: &PluginInfo) -> String {
    let mut text = format!(
        "{} {} ({})\n  {}\n  {}\n  source: {}\n  licence: {}\n  library: {}\n",
        plugin.id,
        plugin.version,
        plugin.kind.as_str(),
        plugin.name,
        plugin.summary,
        plugin.citation,
        plugin.license,
        plugin.library.display()
    );
    text.push_str(&format!(
        "  provides: {}\n",
        short_names(&plugin.provides).join(", ")
    ));
    if !plugin.requires_model.is_empty() {
        let needs = short_names(&plugin.requires_model).join(", ");
        text.push_str(&format!("  needs of the model: {needs}\n"));
    }
    if !plugin.presets.is_empty() {
        text.push_str(&format!("  presets: {}\n", plugin.presets.join(", ")));
    }
    if let Some(parameters) = plugin.params_schema["properties"].as_object()
        && !parameters.is_empty()
    {
        text.push_str("  parameters:\n");
        for (name, schema) in parameters {
            let default = schema.get("default").map_or_else(
                || String::from("required"),
                |value| format!("default {value}"),
            );
            let about = schema["description"].as_str().unwrap_or_default();
            let choice = choices(schema);
            text.push_str(&format!("    {name} ({default}{choice}): {about}\n"));
        }
    }
    text
}

/// What a parameter of few values may be, as `; one of "a", "b"`; empty for any other.
fn choices(schema: &serde_json::Value) -> String {
    let Some(values) = schema["enum"].as_array() else {
        return String::new();
    };
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    format!("; one of {}", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_spelt_as_a_suite_takes_them() {
        let rule = json!({"type": "string", "enum": ["left", "right"], "default": "left"});
        assert_eq!(choices(&rule), "; one of \"left\", \"right\"");
        assert_eq!(choices(&json!({"type": "number"})), "");
    }
}
