// What a schema cannot say about a policy document: names that must exist, rules that could never do anything,
// and keys that contradict each other. All of it is reported, nothing is changed.

import { EVERYONE } from '../subject/directory.ts';
import { checkDevice, checkRule, checkWorkload } from './check-rule.ts';
import { checkTests } from './check-tests.ts';
import { listOf, type PolicyDocument } from './document.ts';
import { checkSelector, type Names, namesOf, type Report } from './names.ts';

/** Everything wrong with a document that its schema accepted. */
export function checkDocument(document: PolicyDocument, report: Report): void {
  const names = namesOf(document, document.apps);
  checkApps(document, report);
  checkGroups(document, names, report);
  checkHours(document, report);
  checkFacts(document, report);
  const ids = new Map<string, number>();
  for (const [index, rule] of document.rules.entries()) {
    const first = ids.get(rule.id);
    if (first !== undefined) {
      report(['rules', index, 'id'], `the rule id \`${rule.id}\` is used twice; each rule needs its own`);
    }
    ids.set(rule.id, first ?? index);
    checkRule(rule, ['rules', index], names, report);
  }
  checkTests(document, names, new Set(ids.keys()), report);
}

function checkApps({ apps }: PolicyDocument, report: Report): void {
  const seen = new Set<string>();
  for (const [index, app] of apps.entries()) {
    if (seen.has(app)) report(['apps', index], `the app \`${app}\` is listed twice`);
    seen.add(app);
  }
}

function checkGroups(document: PolicyDocument, names: Names, report: Report): void {
  for (const [group, { members }] of Object.entries(document.groups ?? {})) {
    const path = ['groups', group];
    if (group === EVERYONE)
      report(path, '`everyone` is every person who signed in; name this group otherwise', { key: true });
    for (const [index, member] of members.entries()) {
      const at = [...path, 'members', index];
      if (member === EVERYONE)
        report(at, 'a group of `everyone` says nothing; write `who: everyone` in the rule');
      else checkSelector(member, names, at, report);
      if (member === group) report(at, `the group \`${group}\` is its own member`);
    }
  }
}

function checkHours(document: PolicyDocument, report: Report): void {
  for (const [name, written] of Object.entries(document.hours ?? {})) {
    for (const [index, window] of listOf(written).entries()) {
      const path = Array.isArray(written) ? ['hours', name, index] : ['hours', name];
      if (window.from === '24:00')
        report([...path, 'from'], 'a window cannot start at "24:00"; write "00:00"');
      if (window.from === window.to) {
        report(
          [...path, 'to'],
          'the window ends when it starts; for a whole day write from "00:00" to "24:00"',
        );
      }
      if (window.zone === undefined && document.zone === undefined) {
        report(path, `the hours \`${name}\` need a \`zone\`, here or at the top of the document`, {
          key: true,
        });
      }
    }
  }
}

function checkFacts({ devices = {}, workloads = {} }: PolicyDocument, report: Report): void {
  for (const [name, device] of Object.entries(devices)) checkDevice(device, ['devices', name], report);
  for (const [name, workload] of Object.entries(workloads))
    checkWorkload(workload, ['workloads', name], report);
}
