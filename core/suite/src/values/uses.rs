//! Models and explainers: some of each, under labels of their own.

use std::collections::BTreeMap;

use super::{Checker, is_name};
use crate::document::{ExplainerDoc, IntoUse, ModelDoc, UseDoc};
use crate::error::{Location, SuiteError};
use crate::plugin_use::PluginUse;
use crate::read::At;

impl Checker<'_> {
    pub(super) fn uses<T: IntoUse>(
        &mut self,
        list: Vec<At<UseDoc<T>>>,
        labels: &mut BTreeMap<String, Location>,
    ) -> Vec<PluginUse> {
        let mut uses = Vec::with_capacity(list.len());
        for At { at, value } in list {
            let name = value.plugin.name.clone();
            self.ensure(
                is_name(&name, "._-"),
                at,
                format!("\"{name}\" is not a label"),
                "use lower-case letters, digits, '.', '-' and '_': it names rows and files",
            );
            let first = *labels.entry(name.clone()).or_insert(at);
            if first != at {
                let error = SuiteError::new(format!("\"{name}\" occurs twice"))
                    .help(format!("the first is on line {}", first.line))
                    .help("give one of them another label: {..., name: another-label}");
                self.refuse(at, error);
            }
            uses.push(PluginUse {
                at: Some(at),
                ..value.plugin
            });
        }
        uses
    }

    pub(super) fn models(&mut self, list: At<Vec<At<UseDoc<ModelDoc>>>>) -> Vec<PluginUse> {
        self.ensure(
            !list.value.is_empty(),
            list.at,
            "there are no models".to_owned(),
            "name at least one",
        );
        self.uses(list.value, &mut BTreeMap::new())
    }

    pub(super) fn explainers(
        &mut self,
        list: At<Vec<At<UseDoc<ExplainerDoc>>>>,
        controls: Vec<At<UseDoc<ExplainerDoc>>>,
    ) -> (Vec<PluginUse>, Vec<PluginUse>) {
        self.ensure(
            !list.value.is_empty(),
            list.at,
            "there are no explainers".to_owned(),
            "name at least one",
        );
        let mut labels = BTreeMap::new();
        let explainers = self.uses(list.value, &mut labels);
        (explainers, self.uses(controls, &mut labels))
    }
}
