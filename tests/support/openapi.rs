//! docs/openapi.json, and whether an answer is what it says.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The document.
pub(crate) struct Document {
    /// The whole of it.
    pub(crate) root: Value,
}

/// One method of one path.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// As in the document: `/api/v1/targets/{name}`.
    pub(crate) path: String,
    /// In small letters.
    pub(crate) method: String,
    /// What it takes and answers.
    pub(crate) value: Value,
}

impl Document {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let text = include_str!("../../docs/openapi.json");
        Self { root: serde_json::from_str(text).expect("the document is JSON") }
    }

    /// Returns every operation.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let paths = self.root["paths"].as_object().expect("paths");
        let of_path = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().expect("methods").clone();
            let path = path.clone();
            methods.into_iter().map(move |(method, value)| Operation { path: path.clone(), method, value })
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// Returns the operations of a path as it is sent.
    pub(crate) fn at(&self, path: &str) -> Vec<Operation> {
        let fits = |operation: &Operation| {
            let (have, want) = (path.split('/'), operation.path.split('/'));
            have.clone().count() == want.clone().count()
                && have.zip(want).all(|(have, want)| have == want || want == "{name}")
        };
        self.operations().into_iter().filter(fits).collect()
    }

    /// Returns the statuses that an operation may answer, each with what is said of it.
    pub(crate) fn responses(&self, operation: &Operation) -> BTreeMap<u16, Value> {
        let responses = operation.value["responses"].as_object().expect("responses");
        let status = |status: &str| status.parse().expect("a status is a number");
        responses.iter().map(|(code, response)| (status(code), self.resolved(response).clone())).collect()
    }

    /// Says what is wrong with a value, by a schema of the document; nothing where all is well.
    pub(crate) fn wrong(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "components": { "schemas": self.root["components"]["schemas"] },
        });
        whole["allOf"] = json!([schema]);
        let validator = jsonschema::validator_for(&whole).expect("the schema is one");
        validator.iter_errors(value).map(|error| format!("{}: {error:.300}", error.instance_path())).collect()
    }

    /// Asserts that an answer is what the document says: also that what is not in it is a 404 or a 405.
    pub(crate) fn assert_answer(
        &self,
        method: &str,
        path: &str,
        status: u16,
        header: &dyn Fn(&str) -> String,
        body: &str,
    ) {
        let operations = self.at(path);
        // HEAD is answered wherever GET is, and without a body.
        let documented = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
        let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        let fallback = json!({ "content": { "application/json": problem } });
        let operation = operations.iter().find(|operation| operation.method == documented);
        let response = match operation {
            None if operations.is_empty() && is_for_people(path) => return,
            None if operations.is_empty() => (status == 404 || status == 405).then_some(fallback),
            None => (status == 405 && !header("allow").is_empty()).then_some(fallback),
            Some(operation) => self.responses(operation).remove(&status),
        };
        let response = response.unwrap_or_else(|| panic!("{method} {path}: {status} is not documented: {body}"));
        let kind = header("content-type");
        let content = &response["content"][&kind];
        assert!(content.is_object(), "{method} {path}: {status} is {kind:?}, which is not documented");
        for (name, _) in response["headers"].as_object().into_iter().flatten() {
            assert!(!header(name).is_empty(), "{method} {path}: {status} has no {name}");
        }
        if method == "HEAD" {
            return;
        }
        let value = if kind == "application/json" {
            serde_json::from_str(body).expect("it is JSON")
        } else {
            Value::String(body.to_owned())
        };
        let wrong = self.wrong(&content["schema"], &value);
        assert!(wrong.is_empty(), "{method} {path}: {status}: {wrong:#?}\n{body}");
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(name) => self.root.pointer(name.trim_start_matches('#')).expect("what is referred to is there"),
            None => value,
        }
    }
}

/// Tells whether a path belongs to the pages for people, which are no part of the document.
pub(crate) fn is_for_people(path: &str) -> bool {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let alone = ["/", "/events", "/live.js", "/sign-in", "/sign-out", "/style.css"];
    alone.contains(&path) || path.starts_with("/targets/") || path.starts_with("/order/")
}
