/** The page's few icons, drawn on a grid of 20; the words beside them say what they mean. */
import type { ReactNode } from 'react';

function Icon({ children, size = 20 }: { children: ReactNode; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

export const SearchIcon = () => (
  <Icon size={22}>
    <circle cx="8.75" cy="8.75" r="5.25" />
    <path d="m12.8 12.8 4 4" />
  </Icon>
);

export const PictureIcon = () => (
  <Icon size={22}>
    <rect x="2.75" y="3.75" width="14.5" height="12.5" rx="2" />
    <circle cx="7" cy="8" r="1.25" />
    <path d="m3 14 4-3.5 3 2.5 3.5-3.5 3.5 3.5" />
  </Icon>
);

export const CloseIcon = () => (
  <Icon>
    <path d="m5 5 10 10M15 5 5 15" />
  </Icon>
);

export const SettingsIcon = () => (
  <Icon>
    <path d="M3 6h6M14 6h3M3 14h3M11 14h6" />
    <circle cx="11.5" cy="6" r="2.25" />
    <circle cx="8.5" cy="14" r="2.25" />
  </Icon>
);

export const PreviousIcon = () => (
  <Icon>
    <path d="m12 4.5-5.5 5.5 5.5 5.5" />
  </Icon>
);

export const NextIcon = () => (
  <Icon>
    <path d="m8 4.5 5.5 5.5L8 15.5" />
  </Icon>
);

/** The mark of eidos: a picture, and under it the line that tells how well it fits. */
export function Mark() {
  return (
    <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect x="1" y="1" width="30" height="22" rx="4" fill="currentColor" />
      <circle cx="9.5" cy="8.5" r="2.75" fill="var(--wall)" />
      <path d="M4 20l7.5-6.5 3.5 3 6.5-7.5L28 16v1.5q0 2.5-2.5 2.5z" fill="var(--wall)" />
      <rect x="1" y="26.5" width="20" height="3.5" rx="1.75" fill="var(--accent)" />
    </svg>
  );
}
