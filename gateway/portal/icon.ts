// The icon of our own pages, in the page itself. Without one a browser asks each app's host for /favicon.ico, and every
// denied page would leave a second deny in the record.

export const ICON: string = `data:image/svg+xml,${encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#4f78e8" stroke-width="2"><path d="M4 21V9a8 8 0 0 1 16 0v12M9 21v-9a3 3 0 0 1 6 0v9M2 21h20"/></svg>',
)}`;
