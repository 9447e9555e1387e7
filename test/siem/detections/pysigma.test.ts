// The Sigma rules as the reference implementation reads them: pySigma, where Python has it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sigmaFiles, writeDetections } from '#siem/detections/write';
import { sigmaRules } from './sigma.ts';

/** A Python that has pySigma; `PYTHON` names another than the system's. */
const python = process.env['PYTHON'] ?? 'python3';
const there = spawnSync(python, ['-c', 'import sigma']).status === 0;

// ATT&CK and D3FEND tags are checked against data that pySigma would fetch.
const SCRIPT = `
import json, sys
from sigma.collection import SigmaCollection
from sigma.validation import SigmaValidator
from sigma.validators.core import validators
rules = SigmaCollection.load_ruleset([sys.argv[1]])
offline = [v for name, v in validators.items() if 'attack' not in name and 'd3' not in name]
issues = [str(issue) for issue in SigmaValidator(offline).validate_rules(rules)]
print(json.dumps({'rules': len(rules.rules), 'issues': issues}))
`;

test('pySigma reads every rule and finds nothing wrong with it', {
  skip: there ? false : 'pySigma is not here: pip install pysigma, and name that Python in PYTHON',
}, (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-sigma-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const [index, privilegedApps] of [[], ['vault.prod']].entries()) {
    const folder = join(directory, String(index));
    writeDetections(folder, { formats: ['sigma'], privilegedApps });
    const { stdout, stderr, status } = spawnSync(python, ['-c', SCRIPT, folder], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const rules = sigmaFiles(privilegedApps).flatMap(([, text]) => sigmaRules(text)).length;
    assert.deepEqual(JSON.parse(stdout), { rules, issues: [] });
  }
});
