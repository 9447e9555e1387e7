// The people of the demo's identity provider, with the groups its ID tokens name them in.

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly groups: readonly string[];
  /** What the demo says about them on the sign-in page. */
  readonly about: string;
}

export const PEOPLE: readonly Person[] = [
  {
    id: 'ada',
    name: 'Ada Ferrara',
    email: 'ada@example.com',
    groups: ['engineering'],
    about: 'engineer: may read and write notes, and see the admin page after a second factor',
  },
  {
    id: 'ben',
    name: 'Ben Okoro',
    email: 'ben@example.com',
    groups: ['support'],
    about: 'support: may read notes, nothing more',
  },
];
